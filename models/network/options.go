package network

import (
	"fmt"
	"slices"
	"strings"

	"mcvd/configs"
)

// maxLevels is how many levels the largest frames can have.
const maxLevels = 13

// readUNet reads the U-Net's options and those of its way of conditioning, and checks that they fit
// each other, the frames and the data.
func (u UNet) read(c *configs.Config) (Network, error) {
	if name, ok := c.Model.Options["conditioning"].(string); ok {
		u.Conditioning = name
	}
	way, err := configs.Pick(conditionings, conditioningPath, u.Conditioning)
	if err != nil {
		return nil, err
	}
	options, get := configs.Copy(way)
	if err := c.Model.Options.Decode(optionsPath, &u, options); err != nil {
		return nil, err
	}
	u.conditioning = get()
	return &u, u.check(c).Err()
}

// Complete leaves sizes that the network doesn't have out of the default attention.
func (u *UNet) Complete(c *configs.Config, isSet func(string) bool) {
	if sizes := u.sizes(c); !isSet("attention") && len(sizes) > 0 {
		u.Attention = slices.DeleteFunc(slices.Clone(u.Attention), func(size int) bool { return !slices.Contains(sizes, size) })
	}
}

// check reports options that are wrong for the frames and the data, or together.
func (u *UNet) check(c *configs.Config) (p configs.Problems) {
	levels := len(u.Multipliers)
	if levels < 1 || levels > maxLevels {
		p.Report("model.options.multipliers", fmt.Sprintf("%d levels, want 1 to %d", levels, maxLevels))
		return p
	}
	multiple := 1 << (levels - 1)
	height, width := c.Data.Frame()
	p.Check(height%multiple == 0 && width%multiple == 0, "data.size", c.Data.Sides(),
		fmt.Sprintf("a multiple of %d, because the network halves it %s", multiple, times(levels-1)), "model.options.multipliers")
	for i, size := range u.Attention {
		p.Check(!slices.Contains(u.Attention[:i], size), fmt.Sprintf("model.options.attention[%d]", i), size, "each size once")
	}
	f := c.Frames
	p.Check(!u.MaskEmbedding || f.Past > 0, "model.options.mask_embedding", true, "false, because frames.past is 0", "frames.past")
	p.Check(!u.PastNoise || f.Past > 0, "model.options.past_noise", true, "false, because frames.past is 0", "frames.past")
	p.Check(!u.PerFrame || f.Current > 1, "model.options.level_per_frame", true, "false, because frames.current is 1", "frames.current")
	p.Check(u.Conditioning != "spatin" || f.Past+f.Future > 0, conditioningPath, u.Conditioning,
		"concat, because there are no past or future frames", "frames.past", "frames.future")
	u.checkHeads(&p, c)
	return p
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// checkHeads reports layers whose channels can't be divided among whole attention heads. The last
// level always has attention, in the middle of the network.
func (u *UNet) checkHeads(p *configs.Problems, c *configs.Config) {
	sizes := u.sizes(c)
	for i, multiplier := range u.Multipliers {
		channels := u.Width * multiplier
		heads := max(1, channels/u.HeadChannels)
		attends := i == len(u.Multipliers)-1 || i < len(sizes) && slices.Contains(u.Attention, sizes[i])
		p.Check(!attends || channels%heads == 0, "model.options.head_channels", u.HeadChannels,
			fmt.Sprintf("a divisor of the %d channels of level %d", channels, i), "model.options.width", "model.options.multipliers")
	}
}

// unused reports sizes for attention that the network doesn't have.
func (u *UNet) unused(c *configs.Config) (p configs.Problems) {
	sizes := u.sizes(c)
	for i, size := range u.Attention {
		if len(sizes) > 0 && !slices.Contains(sizes, size) {
			list := strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", ", "), "[]")
			p.Unused(fmt.Sprintf("model.options.attention[%d]", i), size, "the network's sizes are "+list+u.ofWhat(c))
		}
	}
	return p
}

// ofWhat says of which side the network's sizes are, if there are two.
func (u *UNet) ofWhat(c *configs.Config) string {
	if c.Data.Width == 0 {
		return ""
	}
	return ", of a frame's shorter side"
}

// sizes are the sizes of a frame at the levels of the network, of its shorter side. There are none if the
// frame can't be halved that often.
func (u *UNet) sizes(c *configs.Config) []int {
	levels, short := len(u.Multipliers), min(c.Data.Frame())
	if levels < 1 || levels > maxLevels || short%(1<<(levels-1)) != 0 {
		return nil
	}
	sizes := make([]int, levels)
	for i := range sizes {
		sizes[i] = short >> i
	}
	return sizes
}
