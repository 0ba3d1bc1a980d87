package published

import (
	"fmt"
	"math"
	"testing"

	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/published/schema"
)

// configuration is one of those behind published numbers, or in the published code's folder of
// configurations.
type configuration struct {
	name                                                string
	size, channels, past, current, future, width, heads int
	multipliers                                         string
	blocks, spatin                                      int     // spatin is its width, 0 for concat
	millions                                            float64 // of parameters, 0 where none were published
}

// The sizes of 27.9 and 739.4 million were published, the others are of a count that agrees with
// these. The last five are configs/*.yml of the published code.
var configurations = []configuration{
	{"SMMNIST concat", 64, 1, 5, 5, 0, 64, 64, "1, 2, 3, 4", 2, 0, 27.9},
	{"SMMNIST SPATIN", 64, 1, 5, 5, 0, 64, 64, "1, 2, 3, 4", 2, 128, 54.0},
	{"KTH concat", 64, 1, 10, 5, 0, 96, 96, "1, 2, 3, 4", 2, 0, 62.8},
	{"KTH SPATIN", 64, 1, 10, 5, 0, 192, 96, "1, 2, 3, 4", 2, 192, 367.7},
	{"BAIR concat", 64, 3, 2, 5, 0, 192, 192, "1, 2, 3, 4", 2, 0, 251.2},
	{"BAIR SPATIN", 64, 3, 2, 5, 0, 192, 192, "1, 2, 3, 4", 2, 128, 328.6},
	{"Cityscapes concat", 128, 3, 2, 5, 0, 192, 192, "1, 1, 2, 3, 4", 2, 0, 262.1},
	{"Cityscapes SPATIN", 128, 3, 2, 5, 0, 256, 256, "1, 1, 2, 3, 4", 2, 128, 579.2},
	{"UCF-101 concat", 64, 3, 4, 4, 0, 288, 288, "1, 2, 3, 4", 2, 0, 565.0},
	{"UCF-101 SPATIN", 64, 3, 4, 4, 0, 288, 288, "1, 2, 3, 4", 2, 192, 739.4},
	{"SMMNIST concat, past and future", 64, 1, 5, 5, 5, 64, 64, "1, 2, 3, 4", 2, 0, 27.9},
	{"bair", 64, 3, 2, 10, 0, 32, 64, "1, 2, 2, 2", 3, 0, 0},
	{"bair_big_spade", 64, 3, 2, 5, 0, 96, 96, "1, 2, 3, 4", 2, 128, 0},
	{"cityscapes", 128, 3, 2, 2, 0, 32, 64, "1, 2, 2, 2", 3, 0, 0},
	{"cityscapes_big_spade", 128, 3, 2, 5, 0, 192, 192, "1, 1, 2, 3, 4", 2, 256, 0},
	{"ucf101", 64, 3, 4, 4, 0, 192, 96, "1, 2, 3, 4", 2, 0, 0},
}

func (c configuration) yaml() []byte {
	return fmt.Appendf(nil, `
data: {dataset: BAIR, image_size: %d, channels: %d, num_frames_cond: %d, num_frames: %d, num_frames_future: %d}
model: {arch: unetmore, ngf: %d, n_head_channels: %d, ch_mult: [%s], num_res_blocks: %d, attn_resolutions: [8, 16, 32], spade: %t, spade_dim: %d,
  num_classes: 1000, sigma_begin: 0.02, sigma_end: 0.0001}
`, c.size, c.channels, c.past, c.current, c.future, c.width, c.heads, c.multipliers, c.blocks, c.spatin > 0, max(c.spatin, 1))
}

// maxView is how many elements a view may repeat a smaller storage to.
const maxView = 16 << 20

// A checkpoint of every published configuration's shape opens, is the configuration's, and is read.
// Its tensors repeat one value where they can be, and are holes in the file where not.
func TestEveryPublishedConfiguration(t *testing.T) {
	b := backendtest.OpenGo(t)
	for _, tt := range configurations {
		t.Run(tt.name, func(t *testing.T) {
			config, _, err := schema.Translate("config.yml", tt.yaml())
			if err != nil {
				t.Fatal(err)
			}
			m, err := models.New(config)
			if err != nil {
				t.Fatal(err)
			}
			l, err := m.List(b)
			if err != nil {
				t.Fatal(err)
			}
			state, parameters := shapesOf(t, l)
			if got := float64(parameters) / 1e6; tt.millions > 0 && !(math.Abs(got-tt.millions) <= 0.051) {
				t.Errorf("%.3f million parameters, want %.1f", got, tt.millions)
			}
			t.Logf("%d tensors, %.2f million parameters", len(l.Weights), float64(parameters)/1e6)
			c := opened(t, saved(t, list{state, dict{{"state", dict{}}}, 3, 1234, nil}))
			entries, err := c.Entries(l)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != 4*len(l.Weights) {
				t.Errorf("%d entries, want %d", len(entries), 4*len(l.Weights))
			}
			for _, i := range []int{0, len(entries) / 2, len(entries) - 1} {
				data, err := entries[i].Data()
				if size, _ := entries[i].Size(); err != nil || int64(len(data)) != size {
					t.Errorf("%s: %d bytes, error %v, want %d", entries[i].Name, len(data), err, size)
				}
			}
		})
	}
}

// shapesOf is a state dict with tensors of the right shapes, and how many parameters it has.
func shapesOf(t *testing.T, l models.Listing) (state ordered, parameters int) {
	t.Helper()
	places, err := published(l)
	if err != nil {
		t.Fatal(err)
	}
	one, largest := &elements{"FloatStorage", 1, []byte{0, 0, 128, 63}}, &elements{"FloatStorage", 0, nil}
	for _, p := range places {
		shape, n := p.Layout.Shape(p.Shape), 1
		for _, d := range shape {
			n *= d
		}
		parameters += n
		v := view{one, 0, shape, make([]int, len(shape))}
		if n > maxView {
			largest.count = max(largest.count, n)
			v = view{largest, 0, shape, dense(shape)}
		}
		state = append(state, pair{"module." + p.Name, v})
	}
	return state, parameters
}
