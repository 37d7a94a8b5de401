/** Entra gives up after 60 s (learn.microsoft.com/answers/questions/1151866). */
const REQUEST_TIMEOUT_MS = 60_000

/** How long a client may take, and how much it may send, before anything of it is understood. */
export const SERVER_LIMITS = {
  http: {
    // From the first byte of a request to the end of its headers, and how often that is looked at.
    headersTimeout: 15_000,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 32_768,
    // RFC 9112 §3.2 is seen to by `checkRequest`, whose answer has SCIM's form.
    requireHostHeader: false,
  },
  // To the end of its body.
  requestTimeout: REQUEST_TIMEOUT_MS,
  // Longer than load balancers keep a connection (60 s in most): they must be the ones to close it, or a request meets its end.
  keepAliveTimeout: 75_000,
  // Without a byte in either direction: a reader that stands still is closed too.
  connectionTimeout: REQUEST_TIMEOUT_MS + 5000,
} as const

/** A filter of 4 KiB, each byte of it encoded, and the other parameters. */
export const MAX_URL_LENGTH = 16_384

/** RFC 7644 §3.4.2 knows eight; clients may add their own, as Entra does (aadOptscim062020). */
export const MAX_QUERY_PARAMETERS = 32
