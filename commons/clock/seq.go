package clock

import (
	"strconv"
	"time"
)

// Seq is a point in a shard's history: 43 bits of milliseconds since Epoch and
// 20 bits of counter, so it sorts by time and fits a signed 64-bit column.
// It is the version of a row and the resume cursor of a live query.
type Seq int64

const seqCounterBits = 20

// MaxSeq is the highest Seq.
const MaxSeq = Seq(1<<63 - 1)

// Epoch is millisecond 0 of a Seq.
var Epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// SeqAt returns the first Seq of t's millisecond; times before Epoch give 0,
// times beyond the last millisecond (in 2298) MaxSeq.
func SeqAt(t time.Time) Seq {
	ms := t.Sub(Epoch).Milliseconds()
	switch {
	case ms < 0:
		return 0
	case ms > int64(MaxSeq)>>seqCounterBits:
		return MaxSeq
	}
	return Seq(ms << seqCounterBits)
}

// Time returns the millisecond of s in UTC. It is what _updated shows.
func (s Seq) Time() time.Time {
	return Epoch.Add(time.Duration(int64(s)>>seqCounterBits) * time.Millisecond)
}

// ExpiredBelow returns the Seq below which everything is expired at now that
// expires ttl after the millisecond of its own Seq. It is 0, so that nothing
// is, for a ttl of 0.
func ExpiredBelow(now time.Time, ttl time.Duration) Seq {
	if ttl <= 0 {
		return 0
	}
	return SeqAt(now.Add(time.Millisecond - ttl))
}

// String returns s as a decimal number, the form it has on the wire.
func (s Seq) String() string { return strconv.FormatInt(int64(s), 10) }

// ParseSeq reads the form of String. Negative numbers are refused.
func ParseSeq(s string) (Seq, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return Seq(n), err
}
