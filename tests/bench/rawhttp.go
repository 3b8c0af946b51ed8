package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
)

// conn is a kept HTTP connection to POST /v1/api/sql as one caller. It is for
// one goroutine; net/http would cost more than what is measured.
type conn struct {
	net  net.Conn
	r    *bufio.Reader
	head []byte // request line and headers up to the length
	buf  []byte
	body []byte
}

func dial(host, authorization, user string) (*conn, error) {
	c, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &conn{net: c, r: bufio.NewReaderSize(c, 16<<10),
		head: head(host, authorization, user)}, nil
}

// head returns what a request begins with, up to its length.
func head(host, authorization, user string) []byte {
	head := "POST /v1/api/sql HTTP/1.1\r\nHost: " + host +
		"\r\nContent-Type: application/json\r\nAuthorization: " + authorization + "\r\n"
	if user != "" {
		head += "X-USER-ID: " + user + "\r\n"
	}
	return []byte(head + "Content-Length: ")
}

// ask is do for an answer that must say that it is about a number of rows.
func (c *conn) ask(body, count []byte) error {
	answer, err := c.do(body)
	if err == nil && !bytes.Contains(answer, count) {
		err = fmt.Errorf("an answer without %s: %s", count, answer)
	}
	return err
}

// rowCount is how an answer says that it is about n rows.
func rowCount(n int) []byte { return fmt.Appendf(nil, `],"row_count":%d,`, n) }

// do sends a JSON body and returns the answer's, valid until the next call. An
// answer other than 200 is an error.
func (c *conn) do(body []byte) ([]byte, error) {
	c.buf = append(c.buf[:0], c.head...)
	c.buf = strconv.AppendInt(c.buf, int64(len(body)), 10)
	c.buf = append(c.buf, "\r\n\r\n"...)
	c.buf = append(c.buf, body...)
	if _, err := c.net.Write(c.buf); err != nil {
		return nil, err
	}
	return c.read()
}

func (c *conn) read() ([]byte, error) {
	status, err := c.line()
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200"))
	length, chunked := -1, false
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			break
		}
		key, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(key, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return nil, err
			}
		case bytes.EqualFold(key, []byte("Transfer-Encoding")):
			chunked = string(value) == "chunked"
		}
	}
	if err := c.readBody(length, chunked); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("answer: %s", c.body)
	}
	return c.body, nil
}

func (c *conn) readBody(length int, chunked bool) error {
	c.body = c.body[:0]
	if !chunked {
		if length < 0 {
			return errors.New("an answer without a length")
		}
		return c.take(length)
	}
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return err
		}
		if err := c.take(int(n)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil || n == 0 {
			return err
		}
	}
}

// take appends n bytes to the body.
func (c *conn) take(n int) error {
	from := len(c.body)
	c.body = slices.Grow(c.body, n)[:from+n]
	_, err := io.ReadFull(c.r, c.body[from:])
	return err
}

func (c *conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

func (c *conn) close() { c.net.Close() }
