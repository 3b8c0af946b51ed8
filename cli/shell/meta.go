package shell

import (
	"context"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// metaCommand is a command of the shell itself. run gets what stands behind
// its name; an error that it returns is not printed yet.
type metaCommand struct {
	name, args, help string
	run              func(s *Shell, ctx context.Context, args string) error
}

// metaCommands returns the table of commands, in the order of the help.
func metaCommands() []metaCommand {
	return []metaCommand{
		{`\?`, "", "this list", (*Shell).metaHelp},
		{`\q`, "", "leave", (*Shell).metaQuit},
		{`\l`, "", "list namespaces", statement("SHOW NAMESPACES")},
		{`\dt`, "[namespace]", "list tables", (*Shell).metaTables},
		{`\d`, "[table]", "describe a table, or list tables", (*Shell).metaDescribe},
		{`\du`, "", "list users", statement("SHOW USERS")},
		{`\x`, "[on|off]", "one line for each column", (*Shell).metaExpanded},
		{`\timing`, "[on|off]", "show how long statements take", (*Shell).metaTiming},
		{`\format`, "[table|json|ndjson|csv]", "how rows are printed", (*Shell).metaFormat},
		{`\watch`, "[seconds]", "show the last result as it changes, until Ctrl-C", (*Shell).metaWatch},
		{`\subscribe`, "SELECT ...", "follow a query", (*Shell).metaSubscribe},
		{`\unsubscribe`, "[id]", "end one or all followed queries", (*Shell).metaUnsubscribe},
		{`\as`, "[user]", "act for another user, or for yourself again", (*Shell).metaAs},
		{`\connect`, "url", "change the server", (*Shell).metaConnect},
		{`\health`, "", "ask how the server is", (*Shell).metaHealth},
		{`\cluster`, "[join|leave|...]", "show the cluster, or change it", (*Shell).metaCluster},
		{`\history`, "", "list what was typed", (*Shell).metaHistory},
		{`\clear`, "[history]", "clear the screen, or forget what was typed", (*Shell).metaClear},
	}
}

// laterCommands belong to capabilities that this version does not have.
var laterCommands = map[string]string{
	`\flush`: "moving rows to cold storage", `\jobs`: "jobs", `\flows`: "flows",
	`\files`: "files", `\export`: "export", `\import`: "import",
}

func metaNames() []string {
	var names []string
	for _, c := range metaCommands() {
		names = append(names, c.name)
	}
	return names
}

// meta runs a line that begins with a backslash. A semicolon at its end is
// forgiven.
func (s *Shell) meta(ctx context.Context, line string) error {
	name, args, _ := strings.Cut(strings.TrimRight(line, "; \t"), " ")
	for _, c := range metaCommands() {
		if c.name == name {
			return c.run(s, ctx, strings.TrimSpace(args))
		}
	}
	err := fault.New(fault.InvalidParameter, `there is no command %s; \? lists the commands`, name)
	if what, ok := laterCommands[name]; ok {
		err = fault.New(fault.Unsupported, "%s needs %s, which this version does not have",
			name, what)
	}
	return s.refuse(err)
}

// refuse prints an error and returns it.
func (s *Shell) refuse(err error) error {
	s.fail(err, "")
	return err
}

// statement is a command that stands for a statement.
func statement(sql string) func(*Shell, context.Context, string) error {
	return func(s *Shell, ctx context.Context, _ string) error { return s.run(ctx, sql) }
}

func (s *Shell) metaHelp(context.Context, string) error {
	for _, c := range metaCommands() {
		s.say("%-36s %s", c.name+" "+c.args, c.help)
	}
	s.say("anything else is SQL and ends with a semicolon")
	return nil
}

func (s *Shell) metaQuit(context.Context, string) error {
	s.leaving = true
	return nil
}

func (s *Shell) metaTables(ctx context.Context, namespace string) error {
	if namespace == "" {
		return s.run(ctx, "SHOW TABLES")
	}
	return s.run(ctx, "SHOW TABLES IN "+namespace)
}

func (s *Shell) metaDescribe(ctx context.Context, table string) error {
	if table == "" {
		return s.metaTables(ctx, "")
	}
	return s.run(ctx, "DESCRIBE "+table)
}

// toggle reads on or off; nothing turns the setting over.
func (s *Shell) toggle(setting *bool, what, args string) error {
	switch strings.ToLower(args) {
	case "":
		*setting = !*setting
	case "on":
		*setting = true
	case "off":
		*setting = false
	default:
		return s.refuse(fault.New(fault.InvalidParameter, "%q is neither on nor off", args))
	}
	state := "off"
	if *setting {
		state = "on"
	}
	s.say("%s is %s", what, state)
	return nil
}

func (s *Shell) metaExpanded(_ context.Context, args string) error {
	return s.toggle(&s.expanded, "expanded display", args)
}

func (s *Shell) metaTiming(_ context.Context, args string) error {
	return s.toggle(&s.timing, "timing", args)
}

func (s *Shell) metaFormat(_ context.Context, args string) error {
	if args != "" {
		f, err := ParseFormat(args)
		if err != nil {
			return s.refuse(err)
		}
		s.format = f
	}
	s.say("format is %s", s.format)
	return nil
}

func (s *Shell) metaSubscribe(ctx context.Context, sql string) error {
	if sql == "" {
		return s.refuse(fault.New(fault.EmptySQL,
			`say what to follow: \subscribe SELECT * FROM namespace.table`))
	}
	return s.subscribe(ctx, sql)
}

func (s *Shell) metaUnsubscribe(_ context.Context, args string) error {
	id := 0
	if args != "" {
		n, err := strconv.Atoi(args)
		if err != nil || n < 1 {
			return s.refuse(fault.New(fault.InvalidParameter,
				"%q is no number of a subscription", args))
		}
		id = n
	}
	if !s.follows.unsubscribe(id) {
		return s.refuse(fault.New(fault.NotFound, "there is no such subscription"))
	}
	return nil
}

func (s *Shell) metaAs(ctx context.Context, user string) error {
	return s.reconnect(ctx, Target{URL: s.target.URL, As: user})
}

func (s *Shell) metaConnect(ctx context.Context, url string) error {
	if url == "" {
		s.say("connected to %s", s.target.URL)
		return nil
	}
	return s.reconnect(ctx, Target{URL: url})
}

func (s *Shell) reconnect(ctx context.Context, t Target) error {
	if err := s.connect(ctx, t); err != nil {
		return s.refuse(err)
	}
	if s.opts.Interactive {
		s.names.refresh(ctx, s.client)
	}
	return nil
}

// metaCluster runs CLUSTER with what stands behind it.
func (s *Shell) metaCluster(ctx context.Context, args string) error {
	if args == "" {
		return s.run(ctx, "SHOW CLUSTER")
	}
	return s.run(ctx, "CLUSTER "+args)
}

func (s *Shell) metaHealth(ctx context.Context, _ string) error {
	h, err := s.client.Health(ctx)
	if err != nil {
		return s.refuse(err)
	}
	s.say("%s: %s, version %s (%s), API %s", s.target.URL, h.Status, h.Version, h.Revision,
		h.APIVersion)
	return nil
}

func (s *Shell) metaHistory(context.Context, string) error {
	for i, line := range s.opts.Lines.History() {
		s.say("%5d  %s", i+1, printable(line))
	}
	return nil
}

func (s *Shell) metaClear(_ context.Context, args string) error {
	if args == "history" {
		if err := s.opts.Lines.ClearHistory(); err != nil {
			return s.refuse(err)
		}
		return nil
	}
	if s.opts.Interactive {
		_, err := s.out.Write([]byte("\x1b[H\x1b[2J"))
		return err
	}
	return nil
}
