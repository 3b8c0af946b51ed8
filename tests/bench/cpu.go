package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is processor time that was used. On a machine that others use too it
// says more than the clock.
type usage struct {
	server time.Duration // 0 where the system does not tell it
	client time.Duration // of this process, which is the load generator
}

func (u usage) since(before usage) usage {
	return usage{u.server - before.server, u.client - before.client}
}

// cpuOf reads what a server and its child processes have used, and this
// process itself.
func cpuOf(pid int) (usage, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return usage{}, err
	}
	u := usage{client: time.Duration(own.Utime.Nano() + own.Stime.Nano())}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return usage{}, err
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended since
		}
		if err != nil {
			return usage{}, err
		}
		took, err := cpuOfStat(string(text), pid)
		if err != nil {
			return usage{}, fmt.Errorf("%s: %w", path, err)
		}
		u.server += took
	}
	return u, nil
}

// Fields of /proc/<pid>/stat behind the name in parentheses, from 0.
const (
	statParent = 1
	statUser   = 11
	statSystem = 12
	statEnded  = 13 // and the next: what its children took that have ended
)

// tick is the unit of times in /proc/<pid>/stat, on Linux of all processors
// that Go knows.
const tick = 10 * time.Millisecond

// cpuOfStat returns the time in a line of /proc/<pid>/stat, 0 for a process
// that is neither pid nor a child of it.
func cpuOfStat(line string, pid int) (time.Duration, error) {
	own, _, _ := strings.Cut(line, " ")
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) <= statEnded+1 {
		return 0, fmt.Errorf("%d fields", len(fields))
	}
	want, counted := strconv.Itoa(pid), []int{statUser, statSystem}
	switch want {
	case own:
		counted = append(counted, statEnded, statEnded+1)
	case fields[statParent]:
	default:
		return 0, nil
	}
	sum := int64(0)
	for _, i := range counted {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}
