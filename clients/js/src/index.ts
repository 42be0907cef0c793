/**
 * Client of the realtime speech server.
 *
 *     const session = await connect("ws://127.0.0.1:8790");
 *     for await (const audio of session.speak(words())) use(audio.data);
 */

export { ClientError, ConnectionLost, ServerError } from "./errors.js";
export type { ErrorFields } from "./errors.js";
export { Http, HttpSound } from "./http.js";
export type * from "./http.js";
export type * from "./messages.js";
export { Playback, Player, samplesOf } from "./player.js";
export type { PlayerOptions } from "./player.js";
export { Reconnecting } from "./reconnecting.js";
export type { ConnectionState, ReconnectingOptions } from "./reconnecting.js";
export { Session, connect } from "./session.js";
export type { ConnectOptions, SocketClass, SocketLike } from "./session.js";
export { Speech } from "./speech.js";
export type { Text } from "./speech.js";
