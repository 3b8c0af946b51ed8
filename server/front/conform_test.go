package front_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamdb/kalamdb-go/server/front"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const path = "/v1/api/sql"

// echo tells in its answer all that a handler sees of a request.
func echo(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s host %q uri %q length %d close %v te %v trailer %v\n", r.Method,
		r.URL.Path, r.URL.RawQuery, r.Proto, r.Host, r.RequestURI, r.ContentLength, r.Close,
		r.TransferEncoding, r.Trailer)
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %q\n", name, r.Header[name])
	}
	how := r.Header.Get("X-How")
	if how != "unread" {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(&b, "body %q error %v\n", body, err)
	}
	w.Header().Set("X-Back", "a\r\nb")
	switch how {
	case "pieces": // without a length
		fmt.Fprint(w, b.String()[:10])
		fmt.Fprint(w, b.String()[10:])
		return
	case "nothing":
		return
	case "teapot":
		w.Header().Set("Content-Length", fmt.Sprint(b.Len()))
		w.Header().Set("Content-Type", "text/tea")
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
	case "close":
		w.Header().Set("Connection", "close")
	case "panic":
		panic(http.ErrAbortHandler)
	}
	fmt.Fprint(w, b.String())
}

// newServer returns a net/http server as both ways use it.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
}

type server interface {
	Serve(net.Listener) error
	Close() error
}

// serve runs a server until the test ends, and returns its address.
func serve(t testing.TB, s server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// both starts net/http alone and behind a front.
func both(t testing.TB, h http.Handler) (plain, fronted string) {
	return serve(t, newServer(h)), serve(t,
		front.New(t.Context(), front.Options{Path: path, HTTP: newServer(h)}))
}

// talk sends raw bytes, in pieces of a size, says that no more come, and
// returns what comes back in a form that can be compared.
func talk(t testing.TB, addr string, raw []byte, size int) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for piece := range slices.Chunk(raw, size) {
			if _, err := c.Write(piece); err != nil {
				return // it was closed before all was said
			}
		}
		_ = c.(*net.TCPConn).CloseWrite() // likewise
	}()
	back, err := io.ReadAll(c)
	<-sent
	if err != nil && strings.Contains(err.Error(), "timeout") {
		t.Fatalf("%q gave %q and then %v", raw, back, err)
	}
	return readable(back)
}

// readable takes answers apart. Date is left out.
func readable(back []byte) string {
	var b strings.Builder
	r := bufio.NewReader(bytes.NewReader(back))
	for {
		if rest, err := r.Peek(1); err != nil {
			fmt.Fprintf(&b, "rest %q\n", rest)
			return b.String()
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			rest, _ := io.ReadAll(r)
			fmt.Fprintf(&b, "not an answer: %v %q\n", err, rest)
			return b.String()
		}
		body, err := io.ReadAll(res.Body)
		if _, dateErr := http.ParseTime(res.Header.Get("Date")); dateErr == nil {
			res.Header.Del("Date")
		}
		res.Header.Del("Content-Length") // else it stands in ContentLength
		fmt.Fprintf(&b, "%s %s %v %d close %v\n%s%v\n", res.Proto, res.Status, res.Header,
			len(body), res.Close, body, err)
	}
}

const (
	head = "POST /v1/api/sql HTTP/1.1\r\nHost: example.org:8080\r\n"
	full = head + "Content-Length: 4\r\n\r\nabcd"
)

// requests are what the two ways must answer alike.
var requests = map[string]string{
	"plain": full,
	"headers of a client": head + "Content-Type: application/json\r\nauthorization: Bearer x\r\n" +
		"x-user-id: alice\r\nAccept: */*\r\nUser-Agent: a b (c)\r\nConnection: keep-alive\r\n" +
		"Content-Length: 2\r\n\r\n{}",
	"empty body":                 head + "Content-Length: 0\r\n\r\n",
	"no length":                  head + "\r\n",
	"two in a row":               full + full,
	"lengths that change":        full + head + "Content-Length: 11\r\n\r\nabcdefghijk" + full,
	"heads that change":          full + head + "X-A: 1\r\nContent-Length: 1\r\n\r\nx" + full,
	"another path":               strings.Replace(full, path, "/healthz", 1),
	"a longer path":              strings.Replace(full, path, path+"/x", 1),
	"a query":                    strings.Replace(full, path, path+"?a=b", 1),
	"an absolute path":           strings.Replace(full, path, "http://example.org"+path, 1),
	"another path in between":    full + strings.Replace(full, path, "/x", 1) + full,
	"GET":                        strings.Replace(full, "POST", "GET", 1),
	"HEAD":                       strings.Replace(full, "POST", "HEAD", 1),
	"lower case method":          strings.Replace(full, "POST", "post", 1),
	"HTTP/1.0":                   strings.Replace(full, "HTTP/1.1", "HTTP/1.0", 1),
	"HTTP/1.0 to be kept":        strings.Replace(strings.Replace(full, "1.1", "1.0", 1), "Host:", "Connection: keep-alive\r\nHost:", 1),
	"HTTP/2":                     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HTTP/9.9":                   strings.Replace(full, "HTTP/1.1", "HTTP/9.9", 1),
	"two spaces":                 strings.Replace(full, "POST ", "POST  ", 1),
	"empty line before":          "\r\n" + full,
	"bare line feeds":            strings.ReplaceAll(full, "\r\n", "\n"),
	"one bare line feed":         strings.Replace(full, "8080\r\n", "8080\n", 1),
	"bare carriage return":       head + "X-A: a\rb\r\nContent-Length: 4\r\n\r\nabcd",
	"no host":                    "POST /v1/api/sql HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd",
	"two hosts":                  head + "Host: b\r\nContent-Length: 4\r\n\r\nabcd",
	"empty host":                 "POST /v1/api/sql HTTP/1.1\r\nHost: \r\nContent-Length: 4\r\n\r\nabcd",
	"strange host":               strings.Replace(full, "example.org", "a/b<c>", 1),
	"address as host":            strings.Replace(full, "example.org", "[::1]", 1),
	"length and chunks":          head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + full,
	"chunks and length":          head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" + full,
	"chunks":                     head + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" + full,
	"strange chunks":             head + "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nabcd",
	"hidden chunks":              head + "Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\nabcd",
	"chunks twice":               head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"two lengths alike":          head + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
	"two lengths that differ":    head + "Content-Length: 4\r\nContent-Length: 2\r\n\r\nabcd",
	"a list of lengths":          head + "Content-Length: 4, 4\r\n\r\nabcd",
	"length with a sign":         head + "Content-Length: +4\r\n\r\nabcd",
	"negative length":            head + "Content-Length: -4\r\n\r\nabcd",
	"length with zeros":          head + "Content-Length: 004\r\n\r\nabcd",
	"hexadecimal length":         head + "Content-Length: 0x4\r\n\r\nabcd",
	"no digits":                  head + "Content-Length: \r\n\r\nabcd",
	"length with a tab":          head + "Content-Length:\t4\r\n\r\nabcd",
	"length with spaces":         head + "Content-Length:    4  \r\n\r\nabcd",
	"length without a space":     head + "Content-Length:4\r\n\r\nabcd",
	"huge length":                head + "Content-Length: 99999999999999999999\r\n\r\nabcd",
	"body that is cut":           head + "Content-Length: 10\r\n\r\nabcd",
	"head that is cut":           head + "Content-Le",
	"line that is cut":           "POST /v1/a",
	"nothing":                    "",
	"body that is large":         head + "Content-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000) + full,
	"body of some size":          head + "Content-Length: 100000\r\n\r\n" + strings.Repeat("y", 100000) + full,
	"body left unread":           head + "X-How: unread\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("z", 20000) + full,
	"large body left unread":     head + "X-How: unread\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("z", 300000) + full,
	"cut body left unread":       head + "X-How: unread\r\nContent-Length: 2000\r\n\r\nzzz",
	"answer in pieces":           head + "X-How: pieces\r\nContent-Length: 2\r\n\r\n{}" + full,
	"answer without a body":      head + "X-How: nothing\r\nContent-Length: 2\r\n\r\n{}" + full,
	"answer with another status": head + "X-How: teapot\r\nContent-Length: 2\r\n\r\n{}" + full,
	"answer that closes":         head + "X-How: close\r\nContent-Length: 2\r\n\r\n{}" + full,
	"handler that gives up":      head + "X-How: panic\r\nContent-Length: 2\r\n\r\n{}" + full,
	"Expect":                     head + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd" + full,
	"strange Expect":             head + "Expect: miracles\r\nContent-Length: 4\r\n\r\nabcd",
	"Connection: close":          head + "Connection: close\r\nContent-Length: 4\r\n\r\nabcd" + full,
	"Connection: Keep-Alive":     head + "Connection: Keep-Alive\r\nContent-Length: 4\r\n\r\nabcd" + full,
	"Connection with a list":     head + "Connection: keep-alive, close\r\nContent-Length: 4\r\n\r\nabcd" + full,
	"Upgrade": head + "Connection: Upgrade\r\nUpgrade: h2c\r\n" +
		"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 4\r\n\r\nabcd",
	"Trailer":                    head + "Trailer: X-A\r\nContent-Length: 4\r\n\r\nabcd",
	"Pragma":                     head + "Pragma: no-cache\r\nContent-Length: 4\r\n\r\nabcd",
	"header over two lines":      head + "X-A: a\r\n b\r\nContent-Length: 4\r\n\r\nabcd",
	"header without a colon":     head + "X-A\r\nContent-Length: 4\r\n\r\nabcd",
	"header without a name":      head + ": a\r\nContent-Length: 4\r\n\r\nabcd",
	"header without a value":     head + "X-A:\r\nX-B: \r\nContent-Length: 4\r\n\r\nabcd",
	"header twice":               head + "X-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nabcd",
	"space in a name":            head + "X A: 1\r\nContent-Length: 4\r\n\r\nabcd",
	"name with a bracket":        head + "X(A: 1\r\nContent-Length: 4\r\n\r\nabcd",
	"name with a tilde":          head + "X~A: 1\r\nContent-Length: 4\r\n\r\nabcd",
	"zero byte":                  head + "X-A: a\x00b\r\nContent-Length: 4\r\n\r\nabcd",
	"UTF-8 in a value":           head + "X-A: ä\r\nContent-Length: 4\r\n\r\nabcd",
	"many headers":               head + strings.Repeat("X-A: 1\r\n", 50) + "Content-Length: 4\r\n\r\nabcd",
	"a large header":             head + "X-A: " + strings.Repeat("a", 20000) + "\r\nContent-Length: 4\r\n\r\nabcd" + full,
	"a header that is too large": head + "X-A: " + strings.Repeat("a", 2<<20) + "\r\nContent-Length: 4\r\n\r\nabcd",
	"something behind":           full + "garbage",
	"a byte behind":              full + "P",
	"three bytes behind":         full + "POS",
	"four bytes behind":          full + "POST",
	"an empty line behind":       full + "\r\n",
	"lines behind":               full + "\n\r\r\n\n" + full,
	"a line between":             full + "\r\n" + full,
	"a line between and a byte":  full + "\r\nPOS",
	"a cut line behind":          full + "\r\n\r0 * HTTP/0.0\r\n\r\n",
	"a byte":                     "P",
	"TLS":                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

func TestServer_AnswersLikeNetHTTP(t *testing.T) {
	plain, fronted := both(t, http.HandlerFunc(echo))
	for name, raw := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := talk(t, plain, []byte(raw), len(raw)+1)
			for _, size := range []int{len(raw) + 1, 4000, len(head) + 21, 7} {
				if len(raw)/size > 500 {
					continue
				}
				if got := talk(t, fronted, []byte(raw), size); got != want {
					t.Errorf("in pieces of %d\n got %.2000s\nwant %.2000s", size, got, want)
				}
			}
		})
	}
}

func FuzzServer(f *testing.F) {
	for _, raw := range requests {
		if len(raw) < 4000 {
			f.Add([]byte(raw))
		}
	}
	plain, fronted := both(f, http.HandlerFunc(echo))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		want := talk(t, plain, raw, len(raw)+1)
		if got := talk(t, fronted, raw, len(raw)+1); got != want {
			t.Errorf("%q\n got %.2000s\nwant %.2000s", raw, got, want)
		}
	})
}
