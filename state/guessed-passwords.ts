/*
 * The passwords that are tried first: what published lists of leaked passwords (NCSC's and SecLists' most common ones) begin
 * with. In lower case; those of only one or two different characters are not here, as a rule covers them (password-rules.ts).
 */
const WORDS = `
  0123456789 0987654321 1234567 12345678 123456789 1234567890 12345678910 123456123 123123123 123321123 1q2w3e4r 1q2w3e4r5t
  1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 123qweasd 123qwe123 147258369 159753456 159357456 741852963 789456123 963852741 987654321
  87654321 a1b2c3d4 a123456789 abc12345 abc123456 abcd1234 abcdef123 abcdefgh access14 adidas123 adminadmin admin123 admin1234
  admin12345 administrator alexander alexandra america1 andromeda angelina asdf1234 asdfasdf asdfghjk asdfghjkl asdfjkl1
  babygirl babygirl1 barcelona baseball baseball1 basketball blink182 bluebird brandon1 brooklyn butterfly butterfly1 caroline
  carolina champion changeme changeme1 changeme123 charlie1 charlotte cheese123 chelsea1 chocolate chocolate1 christian
  christina christine chris123 cocacola computer computer1 corvette cristina danielle december default1 diamond1 dolphins
  dragon123 einstein elephant elizabeth facebook facebook1 favorite february ferrari1 fernando firebird fireball football
  football1 franklin freedom1 friends1 ftppassword ftpmount ftpuser1 gabriela garfield gateway1 geronimo giovanni godzilla
  hahahaha hannah123 happy123 hello123 hello1234 hellohello homework hotmail1 hunter123 iloveyou iloveyou1 iloveyou2
  infinity internet isabella jackson1 jennifer jessica1 jonathan jordan23 kawasaki kimberly killer123 kingkong kristina
  letmein1 letmein123 letmeinnow liberty1 linkedin liverpool liverpool1 login123 lovelove loveyou1 macintosh marlboro
  maryjane master123 matthew1 maverick mercedes michael1 michelle michelle1 midnight minecraft mistress monkey123 motorola
  mustang1 mypassword mynoob123 nathalie natalie1 newpassword nicholas nicole12 nintendo november pa$$w0rd p@ssw0rd p@ssword
  p@55w0rd pass1234 pass12345 passpass passport passw0rd passw0rd1 password password! password0 password01 password1
  password11 password12 password123 password1234 password12345 password2 password3 password99 patricia peanut123 pepper123
  pokemon1 porsche911 president princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsx123 qazwsxedc qwaszx12 qwer1234 qwerasdf
  qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 qwertyui qwertyuiop rainbow1 remember richard1 robert123 rockstar
  rootroot root1234 samantha samsung1 scorpion secret123 security september serenity sergio123 shadow123 slipknot snowball
  softball spiderman spongebob starwars starwars1 stephanie strawberry sunflower sunshine sunshine1 superman superman1
  superstar test1234 test12345 testtest testing1 testing123 thomas123 thunder1 tinkerbell trinity1 trustno1 twilight
  undertaker universe user1234 useruser vacation valentina valentine veronica victoria virginia volleyball warcraft
  wednesday welcome1 welcome01 welcome12 welcome123 whatever whatever1 william1 windows1 wordpass xbox360live yourpassword
  zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm123 zxcvbnm,./
  abc123 admin dragon football1 guest letmein login master monkey pass qwerty root secret shadow test welcome zxcvbnm`;

const GUESSED: ReadonlySet<string> = new Set(WORDS.trim().split(/\s+/));

export function isInLists(password: string): boolean {
  return GUESSED.has(password.toLowerCase());
}
