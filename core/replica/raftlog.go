package replica

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/logger"
)

// The library has one logger for the process. It says a lot that is of no use to who
// runs a server, so what it calls information is debugging here.
var (
	libraryLogger atomic.Pointer[slog.Logger]
	setFactory    sync.Once
)

// useLogger sends what the library says to a logger, the last one that was given.
func useLogger(l *slog.Logger) {
	libraryLogger.Store(l)
	setFactory.Do(func() {
		logger.SetLoggerFactory(func(name string) logger.ILogger { return raftLogger(name) })
	})
}

// raftLogger is the logger of one of the library's packages.
type raftLogger string

// SetLevel implements logger.ILogger: the level is the logger's.
func (raftLogger) SetLevel(logger.LogLevel) {}

// Debugf implements logger.ILogger: there is too much of it.
func (raftLogger) Debugf(string, ...any) {}

// Infof implements logger.ILogger.
func (r raftLogger) Infof(format string, args ...any) {
	libraryLogger.Load().Debug(library, r.about(), text, said{format, args})
}

// Warningf implements logger.ILogger.
func (r raftLogger) Warningf(format string, args ...any) {
	libraryLogger.Load().Info(library, r.about(), text, said{format, args})
}

// Errorf implements logger.ILogger.
func (r raftLogger) Errorf(format string, args ...any) {
	libraryLogger.Load().Warn(library, r.about(), text, said{format, args})
}

// Panicf implements logger.ILogger: what the library can't go on with ends the process.
func (r raftLogger) Panicf(format string, args ...any) {
	libraryLogger.Load().Error(library, r.about(), text, said{format, args})
	panic(fmt.Sprintf(format, args...))
}

const (
	library = "the Raft library says"
	text    = "text"
)

func (r raftLogger) about() slog.Attr { return slog.String("package", string(r)) }

// said is a message that is put together when it is logged.
type said struct {
	format string
	args   []any
}

// LogValue implements slog.LogValuer.
func (s said) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf(s.format, s.args...)) }
