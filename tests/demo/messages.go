// Package demo loads real messages into a server as the users who wrote them,
// while a live query of the busiest user runs, and compares what the server
// then holds with the file.
//
// It speaks to the server from outside, through package blackbox. It is run by
// make demo and by its own tests, which kill the server in the middle.
package demo

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Message is one line of the file.
type Message struct {
	ID           int64  `json:"-"` // its line in the file, from 1
	User         string `json:"user"`
	Conversation string `json:"conversation"`
	SentAt       int64  `json:"sent_at"` // Unix seconds
	Content      string `json:"content"`
}

// Time returns when the message was sent as the contract writes a timestamp.
func (m Message) Time() string { return time.Unix(m.SentAt, 0).UTC().Format(time.RFC3339) }

// Read reads messages from a file of JSON lines, packed when its name ends in
// .gz.
func Read(path string) ([]Message, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	var all []Message
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := Message{ID: int64(len(all) + 1)}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, m.ID, err)
		}
		all = append(all, m)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return all, nil
}

// Find returns the path of the whole file when it is there: the one that
// KALAM_DATA names, else the one beside the project; root is the project's
// folder. Without it, Find returns the sample of 500 lines.
func Find(root string) (path string, whole bool) {
	for _, p := range []string{
		os.Getenv("KALAM_DATA"),
		filepath.Join(root, "..", "shared", "data", "messages.ndjson.gz"),
	} {
		if _, err := os.Stat(p); p != "" && err == nil {
			return p, true
		}
	}
	return filepath.Join(root, "testdata", "messages-500.ndjson"), false
}

// ByUser groups messages by who wrote them, each in the order of the file.
func ByUser(all []Message) map[string][]Message {
	users := make(map[string][]Message)
	for _, m := range all {
		users[m.User] = append(users[m.User], m)
	}
	return users
}

// Busiest returns the user with the most messages, the first by name of several.
func Busiest(all []Message) string {
	best, count := "", 0
	for user, own := range ByUser(all) {
		if len(own) > count || len(own) == count && user < best {
			best, count = user, len(own)
		}
	}
	return best
}
