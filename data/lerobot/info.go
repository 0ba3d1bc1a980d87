package lerobot

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcvd/configs"
	"mcvd/configs/regular"
	"mcvd/data/clips"
)

// info is what is read of meta/info.json.
type info struct {
	Version   string             `json:"codebase_version"`
	FPS       float64            `json:"fps"`
	Episodes  int                `json:"total_episodes"`
	Splits    map[string]string  `json:"splits"`
	VideoPath string             `json:"video_path"`
	Features  map[string]feature `json:"features"`
}

// feature is what a recording has for each frame, such as the picture of a camera.
type feature struct {
	Type    string         `json:"dtype"`
	Info    map[string]any `json:"info"`
	OldInfo map[string]any `json:"video_info"`
}

// maxEpisodes is far above the largest recordings, which have about 100,000.
const maxEpisodes = 1 << 24

// readInfo reads meta/info.json of a recording. An error names it.
func readInfo(root string) (info, error) {
	path := filepath.Join(root, "meta", "info.json")
	var in info
	b, err := regular.Read(path)
	if err != nil {
		return in, fmt.Errorf("data.path: %w: want the folder of a LeRobot recording, with meta/info.json in it", err)
	}
	if in, err = parseInfo(b); err != nil {
		return in, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

func parseInfo(text []byte) (in info, err error) {
	if err := json.Unmarshal(text, &in); err != nil {
		return in, err
	}
	return in, in.check()
}

func (in info) check() error {
	switch {
	case strings.HasPrefix(in.Version, "v2.") || strings.HasPrefix(in.Version, "v1."):
		return fmt.Errorf("codebase_version: %s, want v3.0: convert the recording with LeRobot's script convert_dataset_v21_to_v30", in.Version)
	case !strings.HasPrefix(in.Version, "v3."):
		return fmt.Errorf("codebase_version: %q, want v3.0", in.Version)
	case !(in.FPS > 0 && in.FPS <= 1000):
		return fmt.Errorf("fps: %g, want above 0 and up to 1000", in.FPS)
	case in.Episodes < 1 || in.Episodes > maxEpisodes:
		return fmt.Errorf("total_episodes: %d, want 1 to %d", in.Episodes, maxEpisodes)
	}
	return nil
}

// isDepth says whether the pictures of a camera are distances.
func (f feature) isDepth() bool {
	for _, about := range []map[string]any{f.Info, f.OldInfo} {
		for _, key := range []string{"is_depth_map", "video.is_depth_map"} {
			if depth, ok := about[key].(bool); ok && depth {
				return true
			}
		}
	}
	return false
}

// camera is the key of the camera whose videos are read: the one asked for or, with "", the only one.
func (in info) camera(asked string) (string, error) {
	var videos, images []string
	for _, key := range slices.Sorted(maps.Keys(in.Features)) {
		switch f := in.Features[key]; {
		case f.Type == "image":
			images = append(images, key)
		case f.Type == "video" && !f.isDepth():
			videos = append(videos, key)
		}
	}
	problem := func(format string, args ...any) error {
		return configs.Problem{Path: "data.options.camera", Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case slices.Contains(images, asked) || len(videos) == 0 && len(images) > 0:
		return "", problem("%q: the recording holds the pictures of %s as images in Parquet, which are not read: want videos", asked, strings.Join(images, ", "))
	case len(videos) == 0:
		return "", errors.New("meta/info.json: no camera in features: want one of dtype video that is no depth map")
	case asked == "" && len(videos) > 1:
		return "", problem("none is chosen, and the recording has %d: want %s", len(videos), strings.Join(videos, ", "))
	case asked == "":
		asked = videos[0]
	case !slices.Contains(videos, asked):
		return "", problem("unknown %q, want %s", asked, strings.Join(videos, ", "))
	}
	if strings.Contains(asked, "/") || !filepath.IsLocal(asked) {
		return "", problem("%q: want a name without slashes, because it is that of a folder", asked)
	}
	return asked, nil
}

// video is the path of a file of videos below the folder of the recording, with slashes.
func (in info) video(camera string, chunk, file int) (string, error) {
	path := strings.NewReplacer("{video_key}", camera, "{chunk_index:03d}", fmt.Sprintf("%03d", chunk),
		"{file_index:03d}", fmt.Sprintf("%03d", file)).Replace(in.VideoPath)
	if !filepath.IsLocal(filepath.FromSlash(path)) || strings.ContainsAny(path, "{}") || !strings.Contains(in.VideoPath, "{file_index") {
		return "", fmt.Errorf("meta/info.json: video_path: %q, want videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4, or others "+
			"of these below the recording", in.VideoPath)
	}
	return path, nil
}

// splitNames are the names of splits in recordings.
var splitNames = map[string]clips.Split{"train": clips.Train, "val": clips.Valid, "valid": clips.Valid, "validation": clips.Valid, "test": clips.Test}

// span is the episodes from one number to before another.
type span struct{ from, to int }

// spans are the splits that the recording has by itself. Other names are not read.
func (in info) spans() (map[clips.Split]span, error) {
	out := map[clips.Split]span{}
	for _, name := range slices.Sorted(maps.Keys(in.Splits)) {
		split, ok := splitNames[name]
		if !ok {
			continue
		}
		text := in.Splits[name]
		left, right, _ := strings.Cut(text, ":")
		from, errFrom := strconv.Atoi(left)
		to, errTo := strconv.Atoi(right)
		if errors.Join(errFrom, errTo) != nil || from < 0 || from >= to || to > in.Episodes {
			return nil, fmt.Errorf("meta/info.json: splits: %s: %q, want a range such as 0:%d within the %d episodes", name, text, in.Episodes, in.Episodes)
		}
		if _, twice := out[split]; twice {
			return nil, fmt.Errorf("meta/info.json: splits: %s: a second name of split %s", name, split)
		}
		for other, o := range out {
			if from < o.to && o.from < to {
				return nil, fmt.Errorf("meta/info.json: splits: %s: %q has episodes of split %s, too", name, text, other)
			}
		}
		out[split] = span{from, to}
	}
	if out[clips.Train] == (span{}) {
		return nil, fmt.Errorf("meta/info.json: splits: %v, want train", in.Splits)
	}
	return out, nil
}
