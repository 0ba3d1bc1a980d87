package data

import (
	"mcvd/configs"
	"mcvd/data/folder"
	"mcvd/data/video"
)

// DecodeOptions is how a video is decoded that does not lie in the data set, so that the model sees
// it as it saw those that do.
func DecodeOptions(c *configs.Config) (video.DecodeOptions, error) {
	if c.Data.Name == "folder" {
		return folder.DecodeOptions(c)
	}
	return video.DecodeOptions{FPS: c.Data.FPS, Size: c.Data.Size, Channels: c.Data.Channels}, nil
}
