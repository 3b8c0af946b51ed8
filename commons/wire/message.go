package wire

import "github.com/kalamdb/kalamdb-go/commons/fault"

// ParseClient reads a message of a client, strictly: it returns a pointer to
// one of the structs of this package, such as *Subscribe.
func ParseClient(data []byte) (any, error) {
	var e Envelope
	if err := DecodeStrict(data, &e); err != nil {
		return nil, err
	}
	var m any
	switch e.Type {
	case TypeAuthenticate:
		m = new(Authenticate)
	case TypeSubscribe:
		m = new(Subscribe)
	case TypeNextBatch:
		m = new(NextBatch)
	case TypeUnsubscribe:
		m = new(Unsubscribe)
	case TypePing:
		m = new(Ping)
	case TypeQuery:
		m = new(Query)
	default:
		return nil, unknownType(e.Type)
	}
	if err := Decode(data, m); err != nil {
		return nil, err
	}
	return m, nil
}

// ParseServer reads a message of a server: it returns a pointer to one of the
// structs of this package, such as *Change. A type that it does not know is a
// fault.Unsupported, which a client passes over: a newer server may send it.
func ParseServer(data []byte) (any, error) {
	var e Envelope
	if err := Decode(data, &e); err != nil {
		return nil, err
	}
	m := newServerMessage(e.Type)
	if m == nil {
		return nil, fault.New(fault.Unsupported, "unknown message type %.64q", string(e.Type))
	}
	if err := Decode(data, m); err != nil {
		return nil, err
	}
	return m, nil
}

func newServerMessage(t Type) any {
	switch t {
	case TypeAuthSuccess:
		return new(AuthSuccess)
	case TypeAuthError:
		return new(AuthError)
	case TypeAuthExpiring:
		return new(AuthExpiring)
	case TypeSubscriptionAck:
		return new(SubscriptionAck)
	case TypeInitialData:
		return new(InitialData)
	case TypeChange:
		return new(Change)
	case TypeProgress:
		return new(Progress)
	case TypeSchema:
		return new(Schema)
	case TypeResync:
		return new(Resync)
	case TypeUnsubscribed:
		return new(Unsubscribed)
	case TypeResult:
		return new(QueryResult)
	case TypePong:
		return new(Pong)
	case TypeError:
		return new(ErrorMessage)
	}
	return nil
}

func unknownType(t Type) error {
	if t == "" {
		return fault.New(fault.MalformedRequest, "the message has no type")
	}
	return fault.New(fault.MalformedRequest, "unknown message type %.64q", string(t))
}
