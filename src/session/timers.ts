/** The name of the timer that runs until welcome. */
export const HELLO_TIMER = "hello";
