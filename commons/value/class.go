package value

// class groups the kinds that share a key encoding and compare with each
// other. Its number is the tag byte of the key encoding, so it never changes,
// and values of different classes sort by it.
type class byte

// The classes. The gaps leave room for later ones.
const (
	classNull     class = 0x05
	classBool     class = 0x10
	classSigned   class = 0x20
	classUnsigned class = 0x21
	classFloat    class = 0x22
	classDecimal  class = 0x23
	classDate     class = 0x30
	classTime     class = 0x31
	classInstant  class = 0x32
	classText     class = 0x40
	classBytes    class = 0x41
	classUUID     class = 0x42
	classJSON     class = 0x43
	classVector   class = 0x44
	classFile     class = 0x45
	classEnum     class = 0x46
)

var classes = [...]class{
	Null: classNull, Bool: classBool,
	Int8: classSigned, Int16: classSigned, Int32: classSigned, Int64: classSigned,
	Uint8: classUnsigned, Uint16: classUnsigned, Uint32: classUnsigned, Uint64: classUnsigned,
	Float32: classFloat, Float64: classFloat, Decimal: classDecimal,
	Date: classDate, Time: classTime, DateTime: classInstant, Timestamp: classInstant,
	Text: classText, Enum: classEnum, Bytes: classBytes, UUID: classUUID,
	JSON: classJSON, Embedding: classVector, File: classFile,
}

func (k Kind) class() class {
	if !k.Valid() {
		return classNull
	}
	return classes[k]
}

// numeric reports whether values of c compare with other numbers.
func (c class) numeric() bool { return c >= classBool && c <= classDecimal }
