package serde

// codecs holds each codec at the index of its ID. It never changes.
var codecs = [...]Codec{
	Row:     rowCodec{},
	JSON:    jsonCodec{},
	MsgPack: msgpackCodec{},
	CBOR:    newCBOR(),
}
