package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"mcvd/data/clips"
	"mcvd/data/video"
)

// camera is the key under which LeRobot finds the videos. The tags of [episodeRow] have it, too.
const camera = "observation.images.camera"

// frameRow is a frame in the table of all frames.
type frameRow struct {
	Timestamp float32 `parquet:"timestamp"` // seconds in the episode
	Frame     int64   `parquet:"frame_index"`
	Episode   int64   `parquet:"episode_index"`
	Index     int64   `parquet:"index"` // among the frames of all episodes
	Task      int64   `parquet:"task_index"`
}

// episodeRow is a video in the table of episodes.
type episodeRow struct {
	Episode   int64    `parquet:"episode_index"`
	Tasks     []string `parquet:"tasks,list"`
	Length    int64    `parquet:"length"`
	DataChunk int64    `parquet:"data/chunk_index"`
	DataFile  int64    `parquet:"data/file_index"`
	From      int64    `parquet:"dataset_from_index"`
	To        int64    `parquet:"dataset_to_index"`
	Chunk     int64    `parquet:"videos/observation.images.camera/chunk_index"`
	File      int64    `parquet:"videos/observation.images.camera/file_index"`
	FromTime  float64  `parquet:"videos/observation.images.camera/from_timestamp"` // seconds in the MP4
	ToTime    float64  `parquet:"videos/observation.images.camera/to_timestamp"`
	MetaChunk int64    `parquet:"meta/episodes/chunk_index"`
	MetaFile  int64    `parquet:"meta/episodes/file_index"`
}

// taskRow is a task. Videos have none, so there is one without words.
type taskRow struct {
	Index int64  `parquet:"task_index"`
	Task  string `parquet:"task"`
}

// filesInChunk is how many files a folder chunk-000 has.
const filesInChunk = 1000

// recording is one that is being written.
type recording struct {
	ctx    context.Context
	root   string
	limit  int   // bytes of frames in an MP4, unless a single video has more
	first  Video // without its frames
	frames *parquetFile[frameRow]
	index  *parquetFile[episodeRow]
	film   *video.Writer // the MP4 that is being written
	bytes  int           // of frames in it
	inFilm int           // frames in it
	files  int           // MP4s
	videos int64
	total  int64 // frames
}

// writeLeRobot writes a recording in LeRobot's format v3: MP4s of many videos each, without loss, and
// the tables that say where each of them lies.
func writeLeRobot(ctx context.Context, dir string, _ clips.Split, videos Videos) error {
	return writeRecording(ctx, dir, videos, fileBytes)
}

// writeRecording is [writeLeRobot] with MP4s of up to limit bytes of frames.
func writeRecording(ctx context.Context, dir string, videos Videos, limit int) error {
	r := &recording{ctx: ctx, root: dir, limit: limit}
	return errors.Join(r.write(videos), r.close())
}

// write writes everything but what [recording.close] does.
func (r *recording) write(videos Videos) (err error) {
	if r.frames, err = newParquet[frameRow](r.path("data/chunk-000/file-000.parquet")); err != nil {
		return err
	}
	if r.index, err = newParquet[episodeRow](r.path("meta/episodes/chunk-000/file-000.parquet")); err != nil {
		return err
	}
	for v, err := range videos {
		if err != nil {
			return err
		}
		if err := r.add(v); err != nil {
			return fmt.Errorf("video %d: %w", r.videos, err)
		}
	}
	if err := r.film.Close(); err != nil {
		return err
	}
	return errors.Join(r.writeTasks(), r.writeInfo())
}

// add adds a video, as all of it is of one size and rate.
func (r *recording) add(v Video) error {
	if r.videos == 0 {
		r.first = Video{clips.Clip{Height: v.Height, Width: v.Width, Channels: v.Channels}, v.FPS, 0}
	}
	f := r.first
	switch {
	case v.FPS != f.FPS:
		return fmt.Errorf("%g frames a second, but the first video has %g, and a recording has one rate: give one by --fps", v.FPS, f.FPS)
	case v.Height != f.Height || v.Width != f.Width || v.Channels != f.Channels:
		return fmt.Errorf("frames of %dx%dx%d, but those of the first video are %dx%dx%d", v.Height, v.Width, v.Channels, f.Height, f.Width, f.Channels)
	}
	if r.film == nil || r.bytes+len(v.Pix) > r.limit {
		if err := r.nextFilm(); err != nil {
			return err
		}
	}
	file := int64(r.files - 1)
	row := episodeRow{Episode: r.videos, Tasks: []string{""}, Length: int64(v.Frames), From: r.total, To: r.total + int64(v.Frames),
		Chunk: file / filesInChunk, File: file % filesInChunk, FromTime: float64(r.inFilm) / v.FPS, ToTime: float64(r.inFilm+v.Frames) / v.FPS}
	for i := range v.Frames {
		if err := r.film.WriteFrame(v.Slice(i, i+1).Pix); err != nil {
			return err
		}
		frame := frameRow{float32(float64(i) / v.FPS), int64(i), r.videos, r.total + int64(i), 0}
		if err := r.frames.add(frame); err != nil {
			return err
		}
	}
	r.bytes, r.inFilm = r.bytes+len(v.Pix), r.inFilm+v.Frames
	r.videos, r.total = r.videos+1, row.To
	return r.index.add(row)
}

// nextFilm ends an MP4 and begins the next one.
func (r *recording) nextFilm() (err error) {
	if r.film != nil {
		if err := r.film.Close(); err != nil {
			return err
		}
	}
	path := r.path(fmt.Sprintf("videos/%s/chunk-%03d/file-%03d.mp4", camera, r.files/filesInChunk, r.files%filesInChunk))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	r.files, r.bytes, r.inFilm = r.files+1, 0, 0
	r.film, err = video.NewWriter(r.ctx, path, video.WriterOptions{Width: r.first.Width, Height: r.first.Height,
		Channels: r.first.Channels, FPS: r.first.FPS, Quality: video.Lossless})
	return err
}

// close ends the tables, and a film that was not ended.
func (r *recording) close() error {
	if r.film != nil {
		r.film.Abort()
	}
	return errors.Join(r.frames.close(), r.index.close())
}

func (r *recording) path(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }

// writeTasks writes the table of tasks, with what pandas needs to take the words as the rows' names.
func (r *recording) writeTasks() error {
	const pandas = `{"index_columns": ["task"], "column_indexes": [], "columns": [` +
		`{"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64", "metadata": null}, ` +
		`{"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}], "pandas_version": "2.0.0"}`
	f, err := newParquet[taskRow](r.path("meta/tasks.parquet"), parquet.KeyValueMetadata("pandas", pandas))
	if err != nil {
		return err
	}
	return errors.Join(f.add(taskRow{}), f.close())
}

// writeInfo writes meta/info.json. All videos are in the split train, which is LeRobot's for what has
// no other.
func (r *recording) writeInfo() error {
	column := func(dtype string) map[string]any {
		return map[string]any{"dtype": dtype, "shape": []int{1}, "names": nil}
	}
	film := map[string]any{"dtype": "video", "shape": []int{r.first.Height, r.first.Width, 3}, "names": []string{"height", "width", "channels"},
		"info": map[string]any{"video.height": r.first.Height, "video.width": r.first.Width, "video.channels": 3, "video.codec": "h264",
			"video.pix_fmt": "gbrp", "video.is_depth_map": false, "video.fps": r.first.FPS, "has_audio": false}}
	info := map[string]any{
		"codebase_version": "v3.0", "robot_type": nil, "fps": r.first.FPS,
		"total_episodes": r.videos, "total_frames": r.total, "total_tasks": 1,
		"chunks_size": filesInChunk, "data_files_size_in_mb": 100, "video_files_size_in_mb": 200,
		"splits":     map[string]string{"train": fmt.Sprintf("0:%d", r.videos)},
		"data_path":  "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
		"video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
		"features": map[string]any{camera: film, "timestamp": column("float32"), "frame_index": column("int64"),
			"episode_index": column("int64"), "index": column("int64"), "task_index": column("int64")},
	}
	b, err := json.MarshalIndent(info, "", "    ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.path("meta/info.json"), append(b, '\n'), 0o644)
}

// parquetFile is a table that is being written. Rows are held until there are rowsInGroup.
type parquetFile[Row any] struct {
	file *os.File
	*parquet.GenericWriter[Row]
}

// rowsInGroup bounds the memory.
const rowsInGroup = 1 << 16

func newParquet[Row any](path string, options ...parquet.WriterOption) (*parquetFile[Row], error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	options = append(options, parquet.MaxRowsPerRowGroup(rowsInGroup), parquet.Compression(&parquet.Snappy))
	return &parquetFile[Row]{file, parquet.NewGenericWriter[Row](file, options...)}, nil
}

func (f *parquetFile[Row]) add(row Row) error {
	_, err := f.Write([]Row{row})
	return err
}

func (f *parquetFile[Row]) close() error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Close(), f.file.Sync(), f.file.Close())
}
