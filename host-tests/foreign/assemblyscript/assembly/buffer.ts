export const RESPONSE_BODY: u32 = 1;

// The SDK has no wrapper for it.
// @ts-ignore: decorator
@external("env", "proxy_set_buffer_bytes")
export declare function set_buffer_bytes(type: u32, start: u32, size: u32, at: usize, length: usize): u32;
