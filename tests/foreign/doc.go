// Package foreign opens KalamDB's files with programs that are not KalamDB's: what
// others read is what was written. It holds tests only.
package foreign
