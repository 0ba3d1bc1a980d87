package main

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/train/runs"
	"mcvd/train/watch"
)

func newWatch(a *app) *cobra.Command {
	var addr, host string
	cmd := &cobra.Command{
		Use:   "watch RUN...",
		Short: "Show runs on a web page, live",
		Long: `Show one or several runs on a web page of this machine, while they are trained or after that: curves
over each other, the validation loss by noise level, samples by step as videos or sheets, the
settings in which the runs differ, the time left and whether each is being trained. Prints the
address of the page and ends with Ctrl-C.

The page loads nothing from a network. Nothing is written, and nothing but the named runs is shown.
Everyone on this machine can open the page; with another --addr than a local one, everyone who
reaches the machine can.`,
		Example: "  mcvd watch runs/tiny\n  mcvd watch runs/tiny --addr localhost:8080",
		Args:    arguments(1, -1, "run folders"),
		PreRunE: func(cmd *cobra.Command, args []string) (err error) {
			if host, _, err = net.SplitHostPort(addr); err != nil {
				return fmt.Errorf("--addr %q: want HOST:PORT such as 127.0.0.1:8080; port 0 is any that is free", addr)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := runs.OpenAll(args)
			if err != nil {
				return err
			}
			defer runs.CloseAll(all)
			l, err := net.Listen("tcp", addr)
			if err != nil {
				return fmt.Errorf("--addr: %w", err)
			}
			if at, err := netip.ParseAddrPort(l.Addr().String()); err != nil || !at.Addr().IsLoopback() {
				a.log.Warn("everyone who reaches this machine can see the runs; --addr 127.0.0.1:0 is for this machine alone", "addr", l.Addr())
			}
			fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", l.Addr())
			s := watch.New(all)
			s.Host = host
			return s.Serve(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "where to listen; port 0 is any that is free")
	return cmd
}

func newReport(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report RUN...",
		Short: "Write the page of watch as one HTML file",
		Long: `Write the page that watch shows, as it is now, as one HTML file with everything in it. It needs no
server and no network. Of the samples it has those of at most 20 steps of each run.`,
		Example: "  mcvd report runs/tiny -o out/tiny.html",
		Args:    arguments(1, -1, "run folders"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return fmt.Errorf("no file for the report: give --out FILE.html")
			}
			if end := strings.ToLower(filepath.Ext(out)); end != ".html" && end != ".htm" {
				return fmt.Errorf("--out %s: want a name that ends in .html or .htm", out)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showRuns(cmd, args, out, func(all []*runs.Run) error { return watch.Report(out, all) })
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the report, of .html or .htm")
	return cmd
}
