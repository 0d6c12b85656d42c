/*
 * One connection between its handshake and its session: the login requests, the wait in the queue, and the moment when
 * the socket leaves for its worker. Who may log in and when there is room is decided by the LoginHost.
 *
 * Invariants: at most MAX_TRIES logins fail on a connection; nothing but `login` and `ping` is understood; the wait for a
 * password is bounded by LOGIN_MS, the wait in the queue only by the client being there; a place that was
 * granted is either handed over with the socket or released.
 */
import type { Socket } from 'node:net';
import type { Accepted } from '../../protocol/transport/acceptor.js';
import type { AeadProvider } from '../../protocol/transport/aead.js';
import { Channel, type CipherKeys } from '../../protocol/transport/channel.js';
import { encodeNotification, encodeResponse, type IncomingMessage } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import type { HomeName } from '../../protocol/ids.js';
import { Keepalive } from '../../protocol/session/keepalive.js';
import { LOGIN_MS, MAX_RECORD_BEFORE_LOGIN } from '../../protocol/limits.js';
import { METHODS, type LeaseMode, type Params } from '../../protocol/methods.js';
import { isExpired } from '../../state/accounts.js';
import type { Applicant, SessionPlace } from './admission.js';
import { accountExpired, wrongLogin, type Credentials, type Identity } from './authentication.js';
import type { Destination } from './memberships.js';
import { sendBounded } from '../bounded-send.js';
import { took } from '../measures.js';

/** Logins that may fail; the first one without a password asks whether the key is enough, and is not counted. */
const MAX_TRIES = 3;

/** What the client said about itself when it logged in. */
export interface LoginDetails {
  readonly requestId: number;
  /** 16 bytes. */
  readonly clientId: Buffer;
  readonly leaseWanted: LeaseMode;
  readonly program: string;
  /** As the client wrote it; null: the user's own home. */
  readonly share: string | null;
}

/** A connection whose user is known and has a place. Its owner destroys `socket` in the same tick, after duplicating it. */
export interface LoggedIn {
  readonly socket: Socket;
  readonly peer: string;
  readonly identity: Identity;
  readonly destination: Destination;
  readonly login: LoginDetails;
  readonly place: SessionPlace;
  readonly keys: CipherKeys;
  readonly leftover: Buffer;
}

/** The server, as the login sees it. */
export interface LoginHost {
  /** Authentication.authenticate. */
  authenticate(credentials: Credentials, signal: AbortSignal): Promise<Identity>;
  /** Admission.apply and withdraw. */
  apply(applicant: Applicant): void;
  withdraw(applicant: Applicant): void;
  /** Memberships.destination. */
  destination(account: Identity['account'], share: string | null): Destination;
  /** The place of a session that this client, connecting again to the same home, leaves behind; that session is ended. */
  takeOver(user: Identity['account']['name'], home: HomeName, clientId: Buffer): SessionPlace | undefined;
  /** The identity as it is now; undefined where it may not log in any more. */
  refresh(identity: Identity): Identity | undefined;
  handOver(connection: LoggedIn): void;
  /** For user.log. */
  refused(user: string, peer: string, failure: Failure): void;
}

export interface LoginOptions {
  readonly socket: Socket;
  readonly accepted: Accepted;
  readonly aead: AeadProvider;
  /** Without and with port. */
  readonly address: string;
  readonly peer: string;
  readonly host: LoginHost;
  /** The user is known: the connection does not count as unauthenticated any more. */
  onAuthenticated(): void;
  /** Milliseconds from the handshake to a login. */
  readonly loginMs?: number;
}

export class Login {
  /** Resolves when the connection is closed or handed over; with the failure that closed it. */
  readonly done: Promise<Failure | undefined>;
  readonly #options: LoginOptions;
  readonly #channel: Channel;
  readonly #keepalive: Keepalive;
  readonly #deadline: NodeJS.Timeout;
  readonly #gone = new AbortController();
  #resolveDone: (failure: Failure | undefined) => void = () => undefined;
  #busy = false;
  #tries = 0;
  #probedKey = false;
  #applicant: Applicant | undefined;
  /** Admitted, and not handed over yet. */
  #ready: { identity: Identity; login: LoginDetails; place: SessionPlace } | undefined;

  constructor(options: LoginOptions) {
    this.#options = options;
    const { socket, accepted, aead } = options;
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.#channel = new Channel(socket, {
      keys: accepted.keys,
      aead,
      leftover: accepted.leftover,
      maxRecord: MAX_RECORD_BEFORE_LOGIN,
      events: {
        onMessage: (message) => this.#onMessage(message),
        onDrain: () => this.#handOver(),
        onClose: (failure) => this.#onClose(failure),
      },
    });
    accepted.keys.sendKey.fill(0);
    accepted.keys.receiveKey.fill(0);
    this.#keepalive = new Keepalive(this.#channel);
    this.#deadline = setTimeout(
      () => this.#channel.destroy(new Failure('ETIMEDOUT', 'no login in time')),
      options.loginMs ?? LOGIN_MS,
    );
    const { id, params } = accepted.firstRequest;
    void this.#login(id, params);
  }

  /** Tells the client that the server goes away, and closes. */
  async shutdown(reason: string): Promise<void> {
    this.#channel.send(encodeNotification('shutdown', [reason, true]));
    await this.#channel.end();
  }

  #onMessage(message: IncomingMessage): void {
    if (message.kind === 'notification') return; // a `cancel` of the login: who gives up closes
    if (message.kind !== 'request') throw new Failure('PROTOCOL', 'a response to nothing');
    switch (message.method) {
      case 'ping':
        sendBounded(this.#channel, encodeResponse(message.id, undefined, null));
        return;
      case 'login':
        void this.#login(message.id, message.params);
        return;
      default:
        throw new Failure('PROTOCOL', 'a request before login');
    }
  }

  /** Never rejects. */
  async #login(requestId: number, params: unknown): Promise<void> {
    if (this.#busy) {
      this.#channel.destroy(new Failure('PROTOCOL', 'a login while another is not answered'));
      return;
    }
    this.#busy = true;
    const { host, address, peer, accepted, onAuthenticated } = this.#options;
    let user = '';
    try {
      const request = parse(requestId, params);
      ({ user } = request);
      const { password } = request;
      const key = { publicKey: accepted.remoteStatic, address };
      const identity = await host.authenticate({ user, password, ...key }, this.#gone.signal);
      if (this.#gone.signal.aborted) return;
      clearTimeout(this.#deadline);
      onAuthenticated();
      this.#enter(identity, request.login);
    } catch (thrown) {
      if (this.#gone.signal.aborted) return;
      const failure = Failure.from(thrown);
      host.refused(user, peer, failure);
      if (failure.kind === 'ENOKEY' && !this.#probedKey) this.#probedKey = true;
      else this.#tries += 1;
      this.#answer(requestId, failure);
      if (!mayTryAgain(failure) || this.#tries >= MAX_TRIES) void this.#channel.end();
      this.#busy = false;
    }
  }

  /** Takes a place, or waits for one. Throws ENOENT, EBUSY and EUSERS. */
  #enter(identity: Identity, login: LoginDetails): void {
    const { host } = this.#options;
    const user = identity.account.name;
    const { home } = host.destination(identity.account, login.share);
    const admitted = (place: SessionPlace): void => {
      this.#applicant = undefined;
      this.#ready = { identity, login, place };
      this.#handOver();
    };
    const place = host.takeOver(user, home.name, login.clientId);
    if (place !== undefined) return admitted(place);
    const began = performance.now();
    const applicant: Applicant = {
      user,
      onPlace: (number) => sendBounded(this.#channel, encodeNotification('queued', [number])),
      onAdmitted: (granted) => {
        took('queue', performance.now() - began);
        admitted(granted);
      },
    };
    this.#applicant = applicant;
    try {
      host.apply(applicant);
    } catch (failure) {
      this.#applicant = undefined;
      throw failure;
    }
  }

  /** Gives the socket away, once all that was sent has left. */
  #handOver(): void {
    const ready = this.#ready;
    if (ready === undefined) return;
    const { host, socket, peer } = this.#options;
    const identity = host.refresh(ready.identity);
    if (identity === undefined) {
      return this.#turnAway(ready.login, isExpired(ready.identity.account) ? accountExpired() : wrongLogin());
    }
    let destination: Destination;
    try {
      destination = host.destination(identity.account, ready.login.share);
    } catch (error) {
      return this.#turnAway(ready.login, Failure.from(error));
    }
    let detached: ReturnType<Channel['detach']>;
    try {
      detached = this.#channel.detach();
    } catch (error) {
      if (Failure.from(error).kind !== 'EAGAIN') this.#channel.destroy(Failure.from(error));
      return; // EAGAIN: onDrain comes back here; else onClose releases the place
    }
    this.#ready = undefined;
    this.#stop();
    try {
      const { login, place } = ready;
      host.handOver({ socket, peer, identity, destination, login, place, ...detached });
      this.#resolveDone(undefined);
    } catch (error) {
      ready.place.release();
      this.#resolveDone(Failure.from(error));
    } finally {
      socket.destroy();
    }
  }

  /** What was true when the client applied is not any more. */
  #turnAway({ requestId }: LoginDetails, failure: Failure): void {
    this.#answer(requestId, failure);
    void this.#channel.end();
  }

  #answer(requestId: number, failure: Failure): void {
    sendBounded(this.#channel, encodeResponse(requestId, failure, null));
  }

  #onClose(failure: Failure | undefined): void {
    this.#stop();
    this.#gone.abort();
    if (this.#applicant !== undefined) this.#options.host.withdraw(this.#applicant);
    this.#ready?.place.release();
    this.#ready = undefined;
    this.#resolveDone(failure);
  }

  #stop(): void {
    clearTimeout(this.#deadline);
    this.#keepalive.stop();
  }
}

/** The failures after which the client may ask its user again on this connection. */
function mayTryAgain({ kind }: Failure): boolean {
  return kind === 'ENOKEY' || kind === 'EKEYREJECTED' || kind === 'EAGAIN';
}

function parse(
  requestId: number,
  params: unknown,
): { user: string; password: string | null; login: LoginDetails } {
  const checked: Params<'login'> = METHODS.login.params(params);
  const [user, password, clientId, leaseWanted, program, share] = checked;
  return {
    user,
    password,
    // Copied: what was received is valid only now.
    login: { requestId, clientId: Buffer.from(clientId), leaseWanted, program, share },
  };
}
