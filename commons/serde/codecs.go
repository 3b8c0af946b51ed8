package serde

// codecs holds each codec at the index of its ID.
var codecs = [...]Codec{CBOR: nil}
