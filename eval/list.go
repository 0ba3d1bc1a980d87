package eval

import (
	"fmt"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
)

// listed is the order of the clips of a [data.List].
const listed = "listed"

// ListClips lists the clips of a data set that a completed protocol scores, of a model with such
// frames.
func (p Protocol) ListClips(ds clips.Dataset, f configs.Frames) (data.List, error) {
	j, err := p.Job()
	if err != nil {
		return data.List{}, err
	}
	frames := ClipFrames(j.Task, f, j.Frames)
	places := make([]data.At, p.Clips)
	for i := range places {
		places[i] = p.at(ds, i, frames)
	}
	return data.NewList(ds, p.Split, frames, places), nil
}

// WithClips makes a protocol score the clips of a list, which it says in the report.
func (p Protocol) WithClips(l data.List) Protocol {
	p.list, p.Split, p.Clips, p.ClipsSHA256 = &l, l.Split, len(l.Clips), l.SHA256
	return p
}

// places finds the clips of the protocol's list, which must have so many frames. It is nil without a
// list.
func (p Protocol) places(ds clips.Dataset, frames int) ([]data.At, error) {
	if p.list == nil {
		return nil, nil
	}
	if p.list.Frames != frames {
		return nil, fmt.Errorf("list of clips of %d frames, want %d, the given ones and %d to be made: list them anew, or change the frames", p.list.Frames, frames, p.Frames)
	}
	if n := len(p.list.Clips); n > maxCount {
		return nil, fmt.Errorf("list of %d clips, want 1 to %d", n, maxCount)
	}
	places, err := p.list.Places(ds)
	if err != nil {
		return nil, fmt.Errorf("list of clips: %w", err)
	}
	return places, nil
}

// Again is the protocol with which the report's videos are made again of a data set. If its clips were
// those of a list, they are listed by its records.
func (r *Report) Again(ds clips.Dataset, f configs.Frames) (Protocol, error) {
	p := r.Protocol
	if p.ClipsSHA256 == "" {
		return p, nil
	}
	j, err := p.Job()
	if err != nil {
		return p, err
	}
	l := data.NewList(ds, p.Split, ClipFrames(j.Task, f, j.Frames), nil)
	l.Clips = make([]data.Listed, p.Clips)
	for _, record := range r.Records {
		if record.Method == modelMethod && record.Clip >= 0 && record.Clip < p.Clips {
			l.Clips[record.Clip] = data.Listed{Video: record.Video, Start: record.Start}
		}
	}
	if l.SHA256 = l.Hash(); l.SHA256 != p.ClipsSHA256 {
		return p, fmt.Errorf("clips_sha256: %s of the records' clips, want %s: the report was changed, or the data's stride", l.SHA256, p.ClipsSHA256)
	}
	return p.WithClips(l), nil
}

// at is where clip i is cut, unless there is a list.
func (p Protocol) at(ds clips.Dataset, i, frames int) data.At {
	if p.Rules.Order == "spread" {
		return data.Spread(ds, p.Seed, i, p.Clips, frames)
	}
	return data.Fixed(ds, p.Seed, i, frames)
}
