package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// clusterCommand returns the command that looks after a cluster. Each of its commands is
// a statement. started is set once its command line was understood.
func clusterCommand(started *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "look after a cluster: status, join, leave, replace, transfer, rebalance, snapshot",
		Long: "Each command is a statement, sent to any node. A node is written as number=host:port\n" +
			"with the port of its log; see docs/cluster.md. The role has to be dba.",
		Example: "  kalam cluster status --url http://db1:8080\n" +
			"  kalam cluster replace 2 4=db4:7001",
	}
	for _, c := range []struct {
		use, short string
		args       int
		sql        func(args []string) (string, error)
	}{
		{"status", "show nodes, shards and who leads", 0, fixed("SHOW CLUSTER")},
		{"join NODE", "have a node join that was started with cluster.join", 1, joinSQL},
		{"leave NUMBER", "move what a node has to others, and let it go", 1, leaveSQL},
		{"replace NUMBER NODE", "put a node in place of one that is lost", 2, replaceSQL},
		{"transfer SHARD NUMBER", "have a node lead a shard", 2, transferSQL},
		{"rebalance", "spread shards and leaders over the nodes", 0, fixed("CLUSTER REBALANCE")},
		{"snapshot", "cut the logs of all shards", 0, fixed("CLUSTER SNAPSHOT")},
	} {
		f := &flags{}
		sub := &cobra.Command{
			Use: c.use, Short: c.short, Args: cobra.ExactArgs(c.args),
			PreRun: func(*cobra.Command, []string) { *started = true },
			RunE: func(cmd *cobra.Command, args []string) error {
				return f.statement(cmd.Context(), c.sql, args)
			},
		}
		f.addLogin(sub)
		sub.Flags().StringVar(&f.format, "format", "", "table, json, ndjson or csv (default table)")
		cmd.AddCommand(sub)
	}
	return cmd
}

// statement runs the statement of a command's arguments.
func (f *flags) statement(
	ctx context.Context, sql func([]string) (string, error), args []string,
) (err error) {
	if f.command, err = sql(args); err != nil {
		return usageError{err}
	}
	return f.start(ctx, true)
}

func fixed(sql string) func([]string) (string, error) {
	return func([]string) (string, error) { return sql, nil }
}

func joinSQL(args []string) (string, error) {
	node, err := quoted(args[0])
	return "CLUSTER JOIN " + node, err
}

func leaveSQL(args []string) (string, error) {
	n, err := number(args[0])
	return "CLUSTER LEAVE " + n, err
}

func replaceSQL(args []string) (string, error) {
	n, err := number(args[0])
	if err != nil {
		return "", err
	}
	node, err := quoted(args[1])
	return "CLUSTER REPLACE " + n + " WITH " + node, err
}

func transferSQL(args []string) (string, error) {
	shard, err := number(args[0])
	if err != nil {
		return "", err
	}
	n, err := number(args[1])
	return "CLUSTER TRANSFER LEADER OF " + shard + " TO " + n, err
}

// number returns an argument that is a number of a node or shard.
func number(text string) (string, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", fault.New(fault.InvalidParameter, "%q is no number of a node or shard", text)
	}
	return strconv.FormatUint(n, 10), nil
}

// quoted returns a node as a literal.
func quoted(node string) (string, error) {
	if !strings.Contains(node, "=") || strings.ContainsAny(node, "'\\") {
		return "", fault.New(fault.InvalidParameter, "%q is no node; write number=host:port", node)
	}
	return "'" + node + "'", nil
}
