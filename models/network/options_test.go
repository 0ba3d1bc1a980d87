package network

import (
	"reflect"
	"strings"
	"testing"

	"mcvd/configs"
)

// with is the default experiment with some of the network's options.
func with(o configs.Options) *configs.Config {
	c := configs.Default()
	c.Model.Options = o
	return c
}

func TestOptionsAreReadOverTheDefaults(t *testing.T) {
	n, err := New(with(configs.Options{"width": 32, "conditioning": "spatin", "spatin_width": 8}))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultUNet()
	want.Width, want.Conditioning, want.conditioning = 32, "spatin", spatin{Width: 8}
	if !reflect.DeepEqual(n, &want) {
		t.Errorf("network %+v, want %+v", n, want)
	}
	if got := DefaultUNet(); got.Width != 64 || conditionings["spatin"] != (spatin{Width: 128}) {
		t.Error("reading options changed the defaults")
	}
}

func TestOptionsThatDoNotFitAreRefused(t *testing.T) {
	for want, c := range map[string]*configs.Config{
		"model.options.width: 3, want 4 to 4096":                                         with(configs.Options{"width": 3}),
		"model.options.spatin_width: unknown key":                                        with(configs.Options{"spatin_width": 8}),
		"model.options.spatin_width: 0, want 1 to 4096":                                  with(configs.Options{"conditioning": "spatin", "spatin_width": 0}),
		`model.options.conditioning: unknown "film" (known: concat, spatin)`:             with(configs.Options{"conditioning": "film"}),
		"model.options.multipliers: 0 levels, want 1 to 13":                              with(configs.Options{"multipliers": []int{}}),
		"data.size: 64, want a multiple of 128, because the network halves it 7 times":   with(configs.Options{"multipliers": []int{1, 1, 1, 1, 1, 1, 1, 1}}),
		"model.options.attention[1]: 16, want each size once":                            with(configs.Options{"attention": []int{16, 16}}),
		"model.options.head_channels: 64, want a divisor of the 224 channels of level 3": with(configs.Options{"width": 56}),
	} {
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestHeadsMustShareTheChannelsEquallyWhereThereIsAttention(t *testing.T) {
	o := configs.Options{"width": 56, "multipliers": []int{4, 1}, "attention": []int{}}
	if _, err := New(with(o)); err != nil {
		t.Errorf("224 channels in 3 heads at a level without attention: error %v", err)
	}
	o["attention"] = []int{64}
	if _, err := New(with(o)); err == nil || !strings.Contains(err.Error(), "224 channels of level 0") {
		t.Errorf("224 channels in 3 heads: error %v", err)
	}
}

func TestAttentionAtSizesThatTheNetworkLacks(t *testing.T) {
	c := with(configs.Options{"attention": []int{16, 12}})
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	want := "model.options.attention[1]: 12 has no effect because the network's sizes are 64, 32, 16, 8"
	if err := Unused(n, c); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	for isSet, want := range map[bool][]int{false: {8, 16}, true: {8, 16, 32}} {
		u := DefaultUNet()
		c.Data.Size = 16
		if u.Complete(c, func(string) bool { return isSet }); !reflect.DeepEqual(u.Attention, want) {
			t.Errorf("attention %v, want %v", u.Attention, want)
		}
	}
}
