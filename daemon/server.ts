/*
 * The daemon as a whole, on the main thread: ties front door, authentication, admission and worker pool to the state, and
 * carries out what the control socket and the signals ask for.
 *
 * Invariant: what an account may do is read from the state when it matters, never remembered: at login, at the
 * hand-over after a wait, and when ftpctl says that it changed.
 */
import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import type { AeadProvider } from '../protocol/transport/aead.js';
import { Failure } from '../protocol/failure.js';
import { shareOfHome, userName, type HomeName, type UserName } from '../protocol/ids.js';
import { fingerprint } from '../protocol/transport/keys.js';
import type { KeyPair } from '../protocol/transport/x25519.js';
import { programFile } from '../program/location.js';
import { fd, type Fd } from '../posix/fd.js';
import { close, dup } from '../posix/files.js';
import { isExpired, type Account } from '../state/accounts.js';
import type { ControlAnswers, ControlRequest } from '../state/control.js';
import { ownHome } from '../state/home-record.js';
import { homesOf, noSuchHome } from '../state/home-list.js';
import type { QuotaReport } from '../state/ledger.js';
import type { State } from '../state/store.js';
import { AccountChanges } from './account-changes.js';
import { Administrator } from './administrator.js';
import { Admission, type AdmissionLimits, type SessionPlace } from './login/admission.js';
import { Argon2Thread } from './login/argon2-thread.js';
import { Authentication, type Identity } from './login/authentication.js';
import { Banned } from './login/banned.js';
import { needingRestart, type Config } from './config.js';
import { ControlServer } from './control-server.js';
import { withDeadline } from './deadline.js';
import { descriptorShortage, firstReserved } from './descriptor-limit.js';
import { measureEventLoopDelay } from './event-loop-delay.js';
import { Expiry } from './expiry.js';
import { FrontDoor, type FrontDoorLimits } from './login/front-door.js';
import type { LogFile } from './log-file.js';
import type { LoggedIn, LoginHost } from './login/login.js';
import { countLogin, IS_ASKING, measurements } from './measurements.js';
import { clientIdIn, Memberships } from './login/memberships.js';
import { makeLine, setLineRate, type LineCells } from './worker/pace.js';
import { addressOf, formatAddress } from './peer-address.js';
import { WorkerPool } from './pool.js';
import { reclaimDescriptors } from './reclaim.js';
import { Refusals } from './login/refusals.js';
import { Sessions, type SessionRecord } from './sessions.js';
import { ShareChanges, type End } from './share-changes.js';
import { Throttle, type ThrottleLimits } from './login/throttle.js';
import { ThrottleRecords } from './login/throttle-records.js';

export interface ServerOptions {
  readonly config: Config;
  readonly state: State;
  /** Absolute: the directory of the homes. */
  readonly homes: string;
  readonly staticKeyPair: KeyPair;
  readonly aead: AeadProvider;
  readonly version: string;
  readonly log: LogFile;
  readonly userLog: LogFile;
  /** One that listens already, instead of the configuration's address. */
  readonly socket?: Fd | undefined;
}

/** How long sessions may take to finish what is in flight when the daemon ends (milliseconds). */
const SHUTDOWN_MS = 15_000;
/** How long `ftpctl` waits for sessions to close that a change of an account, but its removal, ends (milliseconds). */
const CLOSING_MS = 10_000;
const DAY_MS = 86_400_000;

/**
 * Bounds of a worker's heap: past the old generation's there is a leak, and better one worker lost than all. The young one takes
 * 32 MiB by itself, all of it resident after a burst.
 */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 12 };

export class Server {
  readonly #options: ServerOptions;
  #config: Config;
  readonly #startedAt = Date.now();
  readonly #sessions = new Sessions();
  readonly #memberships: Memberships;
  readonly #expiry: Expiry;
  readonly #banned: Banned;
  readonly #admission: Admission;
  readonly #throttle: Throttle;
  readonly #throttleRecords: ThrottleRecords;
  readonly #argon2 = new Argon2Thread();
  readonly #administrator: Administrator;
  readonly #frontDoor: FrontDoor;
  readonly #pool: WorkerPool;
  readonly #shareChanges: ShareChanges;
  readonly #accountChanges: AccountChanges;
  readonly #control: ControlServer;
  /** What all users may move. */
  readonly #line: LineCells;
  /** In user.log. */
  readonly #refusals: Refusals;
  #address = '';

  constructor(options: ServerOptions) {
    const { config, state, staticKeyPair, aead, version, log, userLog } = options;
    const homes = realpathSync(options.homes); // as /proc/self/fd shows it
    this.#options = options;
    this.#refusals = new Refusals(userLog, 'logins refused');
    this.#config = config;
    this.#memberships = new Memberships(state.shares);
    this.#admission = new Admission(admissionLimits(config));
    this.#throttle = new Throttle(throttleLimits(config));
    this.#throttleRecords = new ThrottleRecords(this.#throttle, state.paths.throttle, log);
    this.#line = makeLine(config.workers);
    setLineRate(this.#line, config.bandwidth ?? 0);
    this.#pool = new WorkerPool({
      size: config.workers,
      script: programFile('worker'),
      workerData: {
        leaseTermMs: config['lease-term'] * 1000,
        maxOpenFiles: config['max-open-files'],
        uploadKeepMs: config['upload-expiry'] * DAY_MS,
        firstReserved: firstReserved(config),
        stateDirectory: state.paths.directory,
        homes,
        serverVersion: `ftpmountd ${version}`,
        bootVerifier: randomBytes(8),
        line: this.#line,
      },
      resourceLimits: WORKER_LIMITS,
      log,
      onSessionClosed: (sessionId) => this.#sessionClosed(sessionId),
      onLost: (lost) => {
        const count = reclaimDescriptors(homes, lost);
        if (count > 0) log.warn({ count }, 'closed the files of a lost worker');
      },
      onLog: ({ log: name, level, fields, message }) =>
        (name === 'user' ? userLog : log)[level]({ ...fields }, message),
      closeDescriptor: (descriptor) => close(fd(descriptor)),
    });
    const changing = {
      ...{ sessions: this.#sessions, pool: this.#pool },
      end: (ending: readonly SessionRecord[], endOf: (record: SessionRecord) => End) =>
        this.#endSessions(ending, endOf),
    };
    this.#shareChanges = new ShareChanges({ ...changing, shares: state.shares });
    this.#accountChanges = new AccountChanges({
      ...{ ...changing, accounts: state.accounts, log },
      isLetIn: (account, key) => this.#refresh({ account, key }) !== undefined,
      expects: (expiresAt) => this.#expiry.expects(expiresAt),
    });
    this.#expiry = new Expiry({
      accounts: () => this.#accountsThere(),
      onExpired: (name) => {
        userLog.info({ user: name }, 'account expired');
        this.#accountChanges
          .changed(name, false, false)
          .catch((error: unknown) =>
            log.error({ user: name, error }, 'the sessions of an expired account could not be ended'),
          );
      },
    });
    this.#administrator = new Administrator(state, this.#argon2, throttleLimits(config));
    const authentication = new Authentication({
      lookUp: (name) => state.accounts.get(name),
      passwords: this.#argon2,
      throttle: this.#throttle,
    });
    this.#banned = new Banned(() => state.bans.list());
    this.#frontDoor = new FrontDoor({
      limits: frontDoorLimits(config),
      staticKeyPair,
      aead,
      serverVersion: `ftpmountd ${version}`,
      log,
      host: this.#loginHost(authentication),
      isBanned: (address) => this.#banned.has(address),
    });
    this.#control = new ControlServer((request) => this.ask(request), log);
  }

  /** Starts to serve; returns HOST:PORT as it listens. Throws a Failure. */
  async start(): Promise<string> {
    const { state, log, staticKeyPair } = this.#options;
    this.#address = formatAddress(await this.#frontDoor.listen(this.#options.socket ?? this.#config.listen));
    await this.#control.listen(state.paths.control).catch(async (error: unknown) => {
      await this.#frontDoor.close('the server did not start');
      throw error;
    });
    // From here on modes of files are what the clients ask for; all files of the daemon itself have explicit ones.
    process.umask(0);
    log.info({ address: this.#address, key: fingerprint(staticKeyPair.publicKey) }, 'listening');
    const shortage = descriptorShortage(this.#config);
    if (shortage !== undefined) log.warn(shortage, 'not enough descriptors (ulimit -n) for these limits');
    const unclean = homesOf(state).filter(({ name }) => state.ledger.read(name)?.clean === false);
    if (unclean.length > 0)
      log.warn({ homes: unclean.length }, 'unclean stop: recounting homes in the background');
    for (const home of unclean) this.#pool.openHome(home);
    return this.#address;
  }

  /** Puts a new configuration into force, as far as that goes without a new start. */
  reload(config: Config): void {
    const { log, state } = this.#options;
    const fixed = needingRestart(this.#config, config);
    if (fixed.length > 0) log.warn({ settings: fixed }, 'these settings changed and need a new start');
    this.#config = config;
    setLineRate(this.#line, config.bandwidth ?? 0);
    this.#admission.setLimits(admissionLimits(config));
    this.#throttle.setLimits(throttleLimits(config));
    this.#administrator.setLimits(throttleLimits(config));
    this.#frontDoor.setLimits(frontDoorLimits(config));
    log.setLevel(config['log-level']);
    for (const account of state.accounts.list()) this.#accountChanges.tellWorkers(account);
    log.info({}, 'configuration read again');
  }

  /** Stops accepting, ends the sessions after what is in flight, closes the homes. Bounded in time. */
  async shutdown(reason: string): Promise<void> {
    this.#options.log.info({ reason, sessions: this.#sessions.list().length }, 'shutting down');
    this.#control.close();
    this.#expiry.close();
    // Who waits is sent away first: else it would get the places of the sessions that end now.
    await this.#frontDoor.close(reason);
    this.#refusals.flush();
    await Promise.all([
      this.#pool.close(reason, true, SHUTDOWN_MS),
      this.#argon2.close(),
      this.#throttleRecords.write(),
    ]);
    for (const { sessionId } of this.#sessions.list()) this.#sessionClosed(sessionId);
    this.#options.log.info({}, 'stopped');
  }

  #loginHost(authentication: Authentication): LoginHost {
    const { state } = this.#options;
    return {
      authenticate: (credentials, signal) =>
        authentication.authenticate(credentials, signal).finally(() => this.#throttleRecords.writeSoon()),
      apply: (applicant) => this.#admission.apply(applicant),
      withdraw: (applicant) => this.#admission.withdraw(applicant),
      destination: (account, share) => this.#memberships.destination(account, share),
      takeOver: (user, home, clientId) => this.#takeOver(user, home, clientId),
      refresh: (identity) => this.#refresh(identity),
      handOver: (connection) => this.#handOver(connection),
      refused: (user, peer, { kind, message }) => {
        countLogin(kind);
        if (IS_ASKING.has(kind)) return;
        // What was typed as a name may be a password: only names of accounts are logged.
        const known = isUserName(user) && state.accounts.get(user) !== undefined ? user : null;
        this.#refusals.write('warn', { user: known, peer, kind, message }, 'login refused');
      },
    };
  }

  #refresh({ account, key }: Identity): Identity | undefined {
    const current = this.#options.state.accounts.get(account.name);
    if (current === undefined || current.disabled || isExpired(current)) return undefined;
    // Another user of the name: it is not his password or key that was proved.
    if (current.createdAt !== account.createdAt) return undefined;
    const revoked = key !== null && !current.keys.some(({ publicKey }) => publicKey === key);
    return revoked ? undefined : { account: current, key };
  }

  /**
   * A client that connects again before its old connection was noticed to be dead shares the place of that one. The home
   * ends the old session when the new one enters. EBUSY: it has done so too often meanwhile.
   */
  #takeOver(user: UserName, home: HomeName, clientId: Buffer): SessionPlace | undefined {
    return this.#sessions
      .ofUser(user)
      .find((record) => record.home === home && record.clientId.equals(clientId))
      ?.place.share();
  }

  #handOver({ socket, peer, identity, destination, login, place, keys, leftover }: LoggedIn): void {
    const { account, key } = identity;
    // The one field of node's sockets that is not public: their descriptor.
    const descriptor = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
    if (descriptor < 0) throw new Failure('ENOTCONN', 'the connection is closed');
    const duplicate = dup(fd(descriptor));
    const sessionId = this.#sessions.newId();
    const { clientId, program } = login;
    const { home, share, shares } = destination;
    this.#sessions.add({
      sessionId,
      user: account.name,
      home: home.name,
      share,
      shares,
      key,
      clientId,
      peer,
      program,
      since: Date.now(),
      place,
    });
    this.#pool.handOver({
      sessionId,
      fd: duplicate,
      keys: {
        ...keys,
        // Not views of node's shared pool: all of its memory would be cloned.
        sendKey: Uint8Array.from(keys.sendKey),
        receiveKey: Uint8Array.from(keys.receiveKey),
      },
      leftover: Uint8Array.from(leftover),
      user: account.name,
      bandwidth: account.bandwidth ?? 0,
      home,
      login: { ...login, clientId: clientIdIn(share, account.name, clientId) },
      shares,
      isReadOnly: share?.isWritable === false,
      peer,
    });
    keys.sendKey.fill(0);
    keys.receiveKey.fill(0);
    this.#expiry.expects(account.expiresAt);
    const by = key === null ? 'password' : fingerprint(Buffer.from(key, 'base64'));
    countLogin();
    this.#options.userLog.info({ user: account.name, share: share?.name, peer, by, program }, 'login');
  }

  #sessionClosed(sessionId: number): void {
    const record = this.#sessions.closed(sessionId);
    if (record === undefined) return;
    const { user, share, peer, since } = record;
    this.#options.userLog.info({ user, share: share?.name, peer, ms: Date.now() - since }, 'logout');
  }

  /** Whether this is the password of the web page: EKEYREJECTED where it is not, EAGAIN. */
  async checkAdministrator(password: string, address: string): Promise<void> {
    try {
      await this.#administrator.check(password, address);
    } catch (error) {
      const { kind, message } = Failure.from(error);
      this.#refusals.write('warn', { peer: address, kind, message }, 'web login refused');
      throw error;
    }
    this.#options.userLog.info({ peer: address }, 'web login');
  }

  /** What the control socket and the web page ask for. */
  async ask<R extends ControlRequest>(request: R): Promise<ControlAnswers[R['type']]> {
    const handlers: {
      [T in ControlRequest['type']]: (r: Extract<ControlRequest, { type: T }>) => Promise<ControlAnswers[T]>;
    } = {
      accountChanged: ({ name, closeSessions, reopen }) =>
        this.#accountChanges.changed(name, closeSessions === true, reopen === true),
      homesRemoved: ({ names }) => this.#homesRemoved(names),
      quotaCheck: ({ name, repair }) => this.#quotaCheck(name, repair),
      trash: ({ name, act }) => this.#pool.trash(name, ownHome(this.#accountOf(name)), act),
      unlock: async ({ userOrAddress }) => {
        const lifted = this.#throttle.forgive(userOrAddress, performance.now());
        // Who asks for it is told when it holds, also over a crash.
        await this.#throttleRecords.write();
        return { lifted };
      },
      bansChanged: () => this.#bansChanged(),
      sharesChanged: () => this.#shareChanges.changed(),
      status: () => this.#status(),
      measurements: () => this.#measurements(),
    };
    // The table is keyed by the type that the request has.
    const handle = handlers[request.type] as unknown as (r: R) => Promise<ControlAnswers[R['type']]>;
    return handle(request);
  }

  async #homesRemoved(names: readonly HomeName[]): Promise<{ closedSessions: number }> {
    const isOfShare = (name: HomeName): boolean => shareOfHome(name) !== undefined;
    const ofUsers = this.#accountChanges.removed(names.filter((name) => !isOfShare(name)).map(userName));
    const ofShares = this.#shareChanges.removed(names.filter(isOfShare));
    const closed = await Promise.all([ofUsers, ofShares]);
    return { closedSessions: closed.reduce((sum, { closedSessions }) => sum + closedSessions, 0) };
  }

  async #bansChanged(): Promise<{ closedSessions: number }> {
    this.#banned.reload();
    this.#frontDoor.bansChanged();
    const ending = this.#sessions.list().filter(({ peer }) => this.#banned.has(addressOf(peer)));
    await this.#endSessions(ending, () => ['the address is banned', false]);
    return { closedSessions: ending.length };
  }

  /** Returns when they are closed. Bounded in time. */
  async #endSessions(ending: readonly SessionRecord[], endOf: (record: SessionRecord) => End): Promise<void> {
    for (const record of ending) this.#pool.endSession(record.sessionId, ...endOf(record));
    await withDeadline(
      CLOSING_MS,
      Promise.all(ending.map(({ sessionId }) => this.#sessions.whenClosed(sessionId))),
    );
  }

  /** The accounts of those who have sessions. */
  #accountsThere(): Account[] {
    const users = new Set(this.#sessions.list().map(({ user }) => user));
    return [...users].flatMap((user) => this.#options.state.accounts.get(user) ?? []);
  }

  async #quotaCheck(name: HomeName | null, repair: boolean): Promise<QuotaReport[]> {
    const homes = homesOf(this.#options.state);
    const checked = name === null ? homes : homes.filter((home) => home.name === name);
    if (name !== null && checked.length === 0) throw noSuchHome(name);
    const reports: QuotaReport[] = [];
    // One after the other: each walks a tree.
    for (const home of checked) reports.push(await this.#pool.quotaCheck(home, repair));
    return reports;
  }

  /** ENOENT. */
  #accountOf(name: UserName): Account {
    const account = this.#options.state.accounts.get(name);
    if (account === undefined) throw noSuchHome(name);
    return account;
  }

  async #measurements(): Promise<ControlAnswers['measurements']> {
    measureEventLoopDelay();
    return measurements(this.#pool, await this.#pool.report(true));
  }

  async #status(): Promise<ControlAnswers['status']> {
    const { reports, silent } = await this.#pool.report(false);
    const activities = new Map(
      reports.flatMap(({ sessions }) => sessions.map(({ sessionId, ...activity }) => [sessionId, activity])),
    );
    const { 'max-sessions': maxSessions, 'max-queue': maxQueue, workers } = this.#config;
    return {
      pid: process.pid,
      version: this.#options.version,
      address: this.#address,
      startedAt: this.#startedAt,
      bandwidth: this.#config.bandwidth ?? 0,
      maxSessions,
      queued: this.#admission.queued,
      maxQueue,
      workers,
      sessions: this.#sessions.list().map(({ sessionId, user, share, peer, program, since }) => {
        return {
          user,
          share: share?.name ?? null,
          peer,
          program,
          since,
          activity: activities.get(sessionId) ?? null,
        };
      }),
      silentWorkers: silent,
      uses: reports.flatMap(({ uses }) => uses),
    };
  }
}

function admissionLimits(config: Config): AdmissionLimits {
  return {
    maxSessions: config['max-sessions'],
    maxSessionsPerUser: config['max-sessions-per-user'],
    maxQueue: config['max-queue'],
  };
}

function throttleLimits(config: Config): ThrottleLimits {
  return { lockoutFailures: config['lockout-failures'], lockoutMs: config['lockout-seconds'] * 1000 };
}

function frontDoorLimits(config: Config): FrontDoorLimits {
  return { maxUnauthenticated: config['max-unauthenticated'], maxPerAddress: config['max-per-address'] };
}

function isUserName(text: string): text is UserName {
  try {
    return userName(text) === text;
  } catch {
    return false;
  }
}
