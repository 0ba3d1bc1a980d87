package configs

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// moved are settings that once had another place. Files, overrides and stored configurations may
// still have the old path.
var moved = []struct{ old, now string }{
	{"model.conditioning", "model.options.conditioning"},
	{"model.spatin_width", "model.options.spatin_width"},
	{"model.width", "model.options.width"},
	{"model.multipliers", "model.options.multipliers"},
	{"model.blocks", "model.options.blocks"},
	{"model.attention", "model.options.attention"},
	{"model.head_channels", "model.options.head_channels"},
	{"model.dropout", "model.options.dropout"},
	{"model.mask_embedding", "model.options.mask_embedding"},
	{"diffusion.beta_start", "diffusion.options.beta_start"},
	{"diffusion.beta_end", "diffusion.options.beta_end"},
	{"optimizer.ema_decay", "optimizer.options.ema_decay"},
	{"sampler.eta", "sampler.options.eta"},
	{"sampler.reference_last_denoise_label", "sampler.published_last_denoise_label"},
	{"sampler.reference_start", "sampler.published_start"},
}

// document reads the root of a document, with settings in old places moved to the new ones. If a
// document has both, the setting is set twice, which is an error at the new place.
func (d *decoder) document(root *yaml.Node, v reflect.Value) {
	var old []string
	for _, m := range moved {
		if move(root, m.old, m.now) {
			old = append(old, m.now)
		}
	}
	d.value(root, v, "")
	for path, at := range d.set {
		for _, now := range old {
			if at.layer == d.layer && (path == now || strings.HasPrefix(path, now+"[")) {
				at.old = true
				d.set[path] = at
			}
		}
	}
}

// move moves a setting in a document, and says whether it was there. It leaves anything but plain
// mappings alone, which is reported elsewhere.
func move(root *yaml.Node, old, now string) bool {
	section, rest, _ := strings.Cut(old, ".")
	at := child(root, section)
	if child(at, rest) == nil {
		return false
	}
	to, names := at, strings.Split(strings.TrimPrefix(now, section+"."), ".")
	last := len(names) - 1
	for _, name := range names[:last] {
		below := child(to, name)
		if below == nil {
			below = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: at.Line, Column: at.Column}
			to.Content = append(to.Content, text(name), below)
		}
		to = below
	}
	if to.Kind != yaml.MappingNode || to.Anchor != "" {
		return false
	}
	var others, found []*yaml.Node
	for i := 0; i+1 < len(at.Content); i += 2 {
		if key := at.Content[i]; key.Value == rest {
			renamed := *key
			renamed.Value = names[last]
			found = append(found, &renamed, at.Content[i+1])
		} else {
			others = append(others, key, at.Content[i+1])
		}
	}
	at.Content = others
	to.Content = append(to.Content, found...)
	return true
}

// formerly are the paths of settings that once stood in a section, by their names there.
func formerly(section string) map[string]string {
	paths := map[string]string{}
	for _, m := range moved {
		if old, ok := strings.CutPrefix(m.old, section+"."); ok {
			paths[old] = m.now
		}
	}
	return paths
}
