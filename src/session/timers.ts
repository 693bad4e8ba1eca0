/** The name of the timer that runs until welcome. */
export const HELLO_TIMER = "hello";
/** The log could not be read: it is tried again. */
export const CATCH_UP_TIMER = "catch up";
/** The window has room for less than is worth a read: it is used all the same. */
export const SERVE_TIMER = "serve";
/** The window is full, and the client does not acknowledge. */
export const SLOW_TIMER = "slow";
/** The next save. */
export const KEEP_TIMER = "keep";
