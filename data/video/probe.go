package video

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"mcvd/configs/regular"
)

// Info describes a video file or a folder of images.
type Info struct {
	// Width and Height of a frame as displayed, in pixels: turned as a phone asks for, with square
	// pixels.
	Width, Height int
	// Frames is their number, as the file says, or as counted if it doesn't say.
	Frames int
	// FPS is the average frame rate in frames a second, 0 if there is none, as in a folder of
	// images.
	FPS float64
	// Duration is 0 where the file doesn't say it.
	Duration time.Duration
}

// probed is the part of ffprobe's answer that is read.
type probed struct {
	Streams []struct {
		Width, Height int
		FPS           string `json:"avg_frame_rate"`
		Rate          string `json:"r_frame_rate"`
		Pixel         string `json:"sample_aspect_ratio"`
		Frames        string `json:"nb_frames"`
		Packets       string `json:"nb_read_packets"`
		Duration      string `json:"duration"`
		SideData      []struct {
			Rotation float64 `json:"rotation"`
		} `json:"side_data_list"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

// Probe reads what a video or a folder of images holds, without decoding all of it. It fails if
// there is no readable video. A file with sound alone has none, and the cover picture of a song
// does not count.
func Probe(ctx context.Context, path string) (Info, error) {
	stat, err := statVideo(path)
	if err != nil {
		return Info{}, err
	}
	if stat.IsDir() {
		return probeImages(path)
	}
	info, err := probe(ctx, path, Piece{})
	if err == nil && info.Frames == 0 {
		info.Frames, err = countPackets(ctx, path)
	}
	return info, err
}

// FPS is the frame rate of a video file as its header says it.
func FPS(ctx context.Context, path string) (float64, error) {
	if _, err := statVideo(path); err != nil {
		return 0, err
	}
	info, err := probe(ctx, path, Piece{})
	return info.FPS, err
}

// statVideo refuses what is neither a file nor a folder. Reading a pipe may never end, and it can't
// be read twice.
func statVideo(path string) (os.FileInfo, error) {
	stat, err := os.Stat(path)
	if err == nil && !stat.IsDir() && !stat.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file, want a video or a folder of images", path)
	}
	return stat, err
}

// probe is [Probe] for a file or a piece of one, with 0 frames where the container doesn't say how many there are.
func probe(ctx context.Context, path string, at Piece) (Info, error) {
	answer, err := ffprobe(ctx, path, at, patience, "-show_entries", "stream=width,height,avg_frame_rate,r_frame_rate,sample_aspect_ratio,"+
		"nb_frames,duration:stream_side_data=rotation:format=duration")
	if err != nil {
		return Info{}, err
	}
	info, err := answer.info()
	if err != nil {
		return Info{}, fmt.Errorf("%s: %w", path, err)
	}
	return info, nil
}

// info is what the answer says of the first stream. It refuses frames with too many pixels.
func (p probed) info() (Info, error) {
	s := p.Streams[0]
	if s.Width < 1 || s.Height < 1 {
		return Info{}, fmt.Errorf("no readable video in it: frames of %dx%d", s.Width, s.Height)
	}
	if err := checkPixels(s.Width, s.Height); err != nil {
		return Info{}, err
	}
	info := Info{Width: s.Width, Height: s.Height, FPS: ratio(s.FPS, "/")}
	if info.FPS == 0 {
		info.FPS = ratio(s.Rate, "/")
	}
	if pixel := ratio(s.Pixel, ":"); pixel > 0 {
		info.Width = int(min(max(1, math.Round(float64(info.Width)*pixel)), maxPixels+1)) // any more are refused below
	}
	for _, side := range s.SideData {
		if quarters := math.Round(side.Rotation / 90); math.Mod(quarters, 2) != 0 {
			info.Width, info.Height = info.Height, info.Width
		}
	}
	if frames, err := strconv.Atoi(s.Frames); err == nil && frames > 0 {
		info.Frames = frames
	}
	for _, text := range []string{s.Duration, p.Format.Duration} {
		if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 && seconds < math.MaxInt64/float64(time.Second) && info.Duration == 0 {
			info.Duration = time.Duration(seconds * float64(time.Second))
		}
	}
	return info, checkPixels(info.Width, info.Height)
}

// countingPatience is longer than [patience], because all of a file is read.
const countingPatience = 30 * time.Minute

// countPackets counts the compressed frames of a file whose container doesn't say how many there
// are. It reads the whole file.
func countPackets(ctx context.Context, path string) (int, error) {
	answer, err := ffprobe(ctx, path, Piece{}, countingPatience, "-count_packets", "-show_entries", "stream=nb_read_packets")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer.Streams[0].Packets)
}

// ffprobe asks about the first video stream of a file; the answer has at least one stream.
func ffprobe(ctx context.Context, path string, at Piece, patience time.Duration, args ...string) (probed, error) {
	url, err := at.url(path)
	if err != nil {
		return probed{}, err
	}
	var out bytes.Buffer
	var answer probed
	args = append([]string{"-loglevel", "error", "-protocol_whitelist", protocols, "-format_whitelist", containers, "-select_streams", "V:0", "-of", "json"}, args...)
	limited, stop := context.WithTimeoutCause(ctx, patience, noProgress(patience)) // it says nothing until it has all
	defer stop()
	p, err := command(limited, "ffprobe", append(args, "-i", url)...)
	if err != nil {
		return answer, err
	}
	p.Stdout = &out
	if err := p.Start(); err != nil {
		return answer, fmt.Errorf("ffprobe: %w", err)
	}
	if err := p.Wait(); err != nil {
		return answer, broken(ctx, path, err)
	}
	if answer, err = parseProbed(out.Bytes()); err != nil {
		return answer, fmt.Errorf("%s: %w", path, err)
	}
	return answer, nil
}

// parseProbed reads ffprobe's answer.
func parseProbed(text []byte) (answer probed, err error) {
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("ffprobe's answer: %w", err)
	}
	if len(answer.Streams) == 0 {
		return answer, errors.New("no video in it")
	}
	return answer, nil
}

// broken is the error of a failure to read path, unless the end of ctx caused it.
func broken(ctx context.Context, path string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", path, cause)
	}
	return fmt.Errorf("%s: not a readable video: %w", path, err)
}

// ratio reads "30000/1001" or "4:3"; 0 if it isn't one.
func ratio(text, separator string) float64 {
	over, under, _ := strings.Cut(text, separator)
	a, errA := strconv.ParseFloat(over, 64)
	b, errB := strconv.ParseFloat(under, 64)
	if errors.Join(errA, errB) != nil || !(a > 0 && b > 0) || math.IsInf(a/b, 0) || a/b == 0 || math.IsNaN(a/b) {
		return 0
	}
	return a / b
}

// checkGIFEnd finds GIFs that were cut off, which ffmpeg reads without an error. A whole one ends
// with the byte 0x3b, and zeros after it are padding.
func checkGIFEnd(path string, at Piece) error {
	file, size, err := regular.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if at == (Piece{}) {
		at.To = size
	}
	var head [4]byte
	if _, err := file.ReadAt(head[:], at.From); err != nil || string(head[:]) != "GIF8" {
		return nil
	}
	end := make([]byte, min(at.To-at.From, 4<<10))
	if _, err := file.ReadAt(end, at.To-int64(len(end))); err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasSuffix(bytes.TrimRight(end, "\x00"), []byte{0x3b}) {
		return errors.New("cut off: the end mark is missing")
	}
	return nil
}
