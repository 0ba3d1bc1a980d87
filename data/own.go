package data

import (
	"fmt"

	"mcvd/configs"
	"mcvd/data/video"
)

// ofOwn are the overridable settings that videos of one's own depend on: those of [DecodeOptions], and
// the stride.
var ofOwn = []string{"data.fps", "data.stride", "data.options.crop", "data.options.image_fps"}

// CheckOwnOverrides reports the first override without effect on videos that do not lie in the data
// set.
func CheckOwnOverrides(overrides []string) error {
	if o := notAmong(ofOwn, overrides); o != "" {
		return fmt.Errorf("%s has no effect on videos of one's own, want %s", o, listed(ofOwn))
	}
	return nil
}

// DecodeOptions says how to decode a video that is not in the data set, so that the model sees it
// like those that are.
func DecodeOptions(c *configs.Config) (video.DecodeOptions, error) {
	if s, err := configs.Pick(sets, "data.name", c.Data.Name); err == nil && s.decode != nil {
		return s.decode(c)
	}
	return video.DecodeOptions{FPS: c.Data.FPS, Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels}, nil
}
