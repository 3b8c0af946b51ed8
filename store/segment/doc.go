// Package segment writes and reads the files of the cold tier: rows of one user
// of one table, or of a shared table, sorted by their primary key, in columns
// that any reader of the file format opens.
//
// A segment is written once, from the first row to the last, and never changed.
// A Writer holds two row groups in memory whatever the number of rows, and has a
// goroutine encode one of them. A File is immutable and safe for concurrent use;
// it has read the end of its file, and reads of the rest only what is asked for.
// Every byte it reads is checked: what is not as it was written is a
// fault.Corruption that names the file, never a wrong value.
//
// A Listing stands beside the files of a folder and says what they are. The
// layouts are in docs/format/segment.md and docs/format/manifest-json.md. The
// package knows no SQL, no manifest of a table and no storage; it is the one that
// imports the library of the format.
package segment

import "github.com/apache/arrow-go/v18/parquet"

// Sizes that were chosen by measuring; see docs/benchmarks.md.
const (
	groupRows  = 32768    // most rows of a row group
	groupBytes = 16 << 20 // of values, behind which a row group ends
	pageBytes  = 32 << 10 // of encoded values, behind which a page ends
	pageRows   = 4096     // most rows of a page
	dictBytes  = 16 << 10 // of distinct values, behind which a column is plain
	statBytes  = 128      // longest value that stands in statistics
	blockBytes = 16 << 10 // of the file that have one checksum
)

var (
	required = parquet.Repetitions.Required
	optional = parquet.Repetitions.Optional
)
