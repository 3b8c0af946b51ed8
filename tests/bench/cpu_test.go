package main

import (
	"os"
	"testing"
	"time"
)

func TestCPUOfStat(t *testing.T) {
	const line = "17 (a) b (c)) S 9 17 17 0 -1 4194304 100 0 0 0 12 34 5 6 20 0 1 0 56974 3133440"
	for pid, want := range map[int]time.Duration{
		17: 570 * time.Millisecond, // itself, and its children that have ended
		9:  460 * time.Millisecond, // its parent, of whom nothing is known
		1:  0,
	} {
		if got, err := cpuOfStat(line, pid); err != nil || got != want {
			t.Errorf("of %d: %v %v, want %v", pid, got, err, want)
		}
	}
	if _, err := cpuOfStat("17 (a) S 9", 17); err == nil {
		t.Error("a line that is cut has no error")
	}
}

func TestCPUOf(t *testing.T) {
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
	}
	after, err := cpuOf(os.Getpid())
	if err != nil || after.since(before).client <= 0 {
		t.Errorf("used %+v, %v", after.since(before), err)
	}
}
