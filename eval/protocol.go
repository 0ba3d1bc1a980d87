package eval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// Protocol says what an evaluation does.
type Protocol struct {
	Name         string      `json:"name"` // one of [ProtocolNames]
	Task         string      `json:"task"`
	Clips        int         `json:"clips"`        // of the split, by Rules.Order
	Trajectories int         `json:"trajectories"` // videos made for each clip
	Frames       int         `json:"frames"`       // made in each video
	Advance      int         `json:"advance"`      // frames kept of a window
	Windows      string      `json:"windows"`      // how a video is cut into them, one of [WindowNames]
	Split        clips.Split `json:"split"`
	Seed         uint64      `json:"seed"` // of the clips and, without Seeds, of the noise
	// Seeds are those of the noise: each clip is made with each of them, in as many trajectories.
	Seeds []uint64 `json:"noise_seeds,omitempty"`
	Rules Rules    `json:"rules"`
	// ClipsSHA256 is the hash of the list of clips, if they are those of one: see [Protocol.WithClips].
	ClipsSHA256 string `json:"clips_sha256,omitempty"`
	// Deviations say in what the evaluation is not what its name promises.
	Deviations []string `json:"deviations,omitempty"`

	list *data.List // nil if Rules.Order says which clips there are
}

// Rules are how a protocol chooses clips and counts scores.
type Rules struct {
	Order     string          `json:"order"`     // of clips: fixed, see [data.Fixed], spread, see [data.Spread], or listed, see [data.List]
	Pixels    string          `json:"pixels"`    // how numbers become 8-bit: nearest, see [clips.Byte], or floor, see [clips.Floor]
	Unrounded bool            `json:"unrounded"` // metrics of sets that can see frames before they become bytes do: FVD
	Binary    bool            `json:"binary"`    // SSIM is of frames whose pixels are rounded to black or white
	Best      string          `json:"best"`      // of trajectories: each metric chooses its own, or one is chosen for all, by the first metric of pairs
	Interval  metric.Interval `json:"interval"`  // around means over clips
}

// named is a protocol: rules, and what an evaluation must be to have its name.
type named struct {
	Rules
	clips, trajectories int // 0 leaves the choice
	// settings are those of published results; the first that fits a model is its default.
	settings []setting
	doc      string
}

// setting is so many frames made in a task from so many past ones.
type setting struct {
	task         Task
	past, frames int
}

var (
	clean     = Rules{Order: "fixed", Pixels: "nearest", Best: "one", Interval: metric.Bootstrap}
	published = Rules{Order: "spread", Pixels: "floor", Unrounded: true, Best: "each", Interval: metric.Normal}
	twoLevels = Rules{Order: "spread", Pixels: "floor", Unrounded: true, Binary: true, Best: "each", Interval: metric.Normal}
)

// protocols are all protocols. The published ones are MCVD's (Voleti et al., 2022, section 5 and
// appendix), as its code has them: the best of 10 trajectories in each metric for 256 clips.
var protocols = map[string]named{
	"clean": {Rules: clean, doc: "one best trajectory for all metrics, bootstrap over videos; anything goes"},
	"smmnist": {Rules: twoLevels, clips: 256, trajectories: 10, settings: []setting{{Predict, 5, 10}},
		doc: "Stochastic Moving MNIST as published: 10 frames after 5; SSIM of black or white"},
	"kth": {Rules: published, clips: 256, trajectories: 10, settings: []setting{{Predict, 10, 30}, {Predict, 10, 40}},
		doc: "KTH as published: 30 or 40 frames after 10"},
	"bair": {Rules: published, clips: 256, trajectories: 10, settings: []setting{{Predict, 1, 15}, {Predict, 2, 14}, {Predict, 2, 28}},
		doc: "BAIR robot pushing as published: 15 frames after 1, 14 or 28 after 2"},
	"cityscapes": {Rules: published, clips: 256, trajectories: 10, settings: []setting{{Predict, 2, 28}},
		doc: "Cityscapes as published: 28 frames after 2"},
	"ucf101": {Rules: published, clips: 256, trajectories: 10, settings: []setting{{Generate, 4, 16}, {Predict, 4, 16}},
		doc: "UCF-101 as published: 16 frames, out of nothing or after 4"},
}

// DefaultProtocol is what an evaluation follows if nothing else is said.
const DefaultProtocol = "clean"

// ProtocolNames lists the protocols.
func ProtocolNames() []string { return configs.Names(protocols) }

// ProtocolMetrics are the metrics of a protocol; none are all that can be computed.
func ProtocolMetrics(name string) []string {
	if len(protocols[name].settings) == 0 {
		return nil
	}
	return []string{"psnr", "ssim", "lpips", "fvd"}
}

// ProtocolDoc says what a protocol is.
func ProtocolDoc(name string) string { return protocols[name].doc }

// Complete fills in what the protocol of p's name says and p leaves open, zeros, for a model with
// such frames, and notes in what p deviates. What no protocol says is the model's block.
func (p Protocol) Complete(f configs.Frames) (Protocol, error) {
	n, ok := protocols[p.Name]
	if !ok {
		return p, fmt.Errorf("protocol: unknown %q (known: %s)", p.Name, strings.Join(ProtocolNames(), ", "))
	}
	task, err := ParseTask(p.Task)
	if err != nil {
		return p, err
	}
	if err := p.checkSeeds(); err != nil {
		return p, err
	}
	p.Rules, p.Deviations = n.Rules, nil
	if p.list != nil {
		p.Rules.Order = listed
		if n.Rules.Order == "spread" {
			p.Deviations = append(p.Deviations, "clips of a list, published: evenly spread over all videos")
		}
	}
	fit := slices.DeleteFunc(slices.Clone(n.settings), func(s setting) bool { return s.task != task || s.past != f.Past })
	if p.Frames == 0 && len(fit) > 0 {
		p.Frames = fit[0].frames
	}
	for _, c := range []struct {
		name         string
		is           *int
		want, others int // others is what protocols begin with that leave the choice
	}{{"clips", &p.Clips, n.clips, 16}, {"trajectories", &p.Trajectories, n.trajectories, 1}} {
		*c.is = cmp.Or(*c.is, c.want, c.others)
		if c.want > 0 && *c.is != c.want {
			p.Deviations = append(p.Deviations, fmt.Sprintf("%d %s, published: %d", *c.is, c.name, c.want))
		}
	}
	p.Frames, p.Advance = cmp.Or(p.Frames, f.Current), Advance(p.Advance, p.Windows, f)
	if len(n.settings) > 0 && p.Advance != f.Current {
		p.Deviations = append(p.Deviations, fmt.Sprintf("%d frames kept of each block, published: all %d", p.Advance, f.Current))
	}
	if p.Split = cmp.Or(p.Split, clips.Test); len(n.settings) > 0 && p.Split != clips.Test {
		p.Deviations = append(p.Deviations, fmt.Sprintf("split %s, published: test", p.Split))
	}
	if len(n.settings) > 0 && !slices.ContainsFunc(fit, func(s setting) bool { return s.frames == p.Frames }) {
		p.Deviations = append(p.Deviations, fmt.Sprintf("%v of %d frames after %d, published: %s", task, p.Frames, f.Past, settingNames(n.settings)))
	}
	return p, nil
}

// settingNames says what was published.
func settingNames(settings []setting) string {
	var names []string
	for _, s := range settings {
		names = append(names, fmt.Sprintf("%v of %d after %d", s.task, s.frames, s.past))
	}
	return strings.Join(names, ", ")
}

// Job is what is made of each clip.
func (p Protocol) Job() (Job, error) {
	task, err := ParseTask(p.Task)
	j := Job{Task: task, Frames: p.Frames, Advance: p.Advance, Windows: p.Windows}
	j.Windows = j.windows()
	return j, err
}

// noiseSeeds are the seeds of the noise, one or more.
func (p Protocol) noiseSeeds() []uint64 {
	if len(p.Seeds) == 0 {
		return []uint64{p.Seed}
	}
	return p.Seeds
}

// checkSeeds reports seeds of the noise that are there twice, of which the second would say nothing
// new.
func (p Protocol) checkSeeds() error {
	for i, seed := range p.Seeds {
		if slices.Contains(p.Seeds[:i], seed) {
			return fmt.Errorf("noise_seeds: %d is there twice", seed)
		}
	}
	return nil
}

// noiseTitle names the seeds of the noise, if they are not that of the clips.
func (p Protocol) noiseTitle() string {
	if len(p.Seeds) == 0 {
		return ""
	}
	return ", of the noise " + strings.Trim(fmt.Sprint(p.Seeds), "[]")
}

// blackOrWhite rounds [0, 1] to 0 or 1, half to 0.
func blackOrWhite(x float32) uint8 {
	if (x+1)/2 > 0.5 {
		return 255
	}
	return 0
}

// title is the protocol's name, with a line for each thing in which the evaluation is not as
// published.
func (p Protocol) title() string {
	if len(p.Deviations) == 0 {
		return "protocol " + p.Name
	}
	return "protocol " + p.Name + ", but NOT as published:\n  " + strings.Join(p.Deviations, "\n  ")
}
