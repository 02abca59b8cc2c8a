/* With what codes our sockets close, as `streaming/close_codes.py` has them. */

export const OVER = 1000;
export const FORBIDDEN = 4403;
export const UNKNOWN_CALL = 4404;
export const ENDED = 4410;
export const NOT_NOTED = 4500;
