package watch

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// maxEmbedded is of how many steps a report shows samples, for each run: those of more would make a
// file that no browser likes to open.
const maxEmbedded = 20

// Report writes the page with everything that it shows into one HTML file, which needs no server
// and no network. Of the samples it has those of at most 20 steps of a run, evenly spread: films,
// and the sheets where there are none. A problem of a run is shown on the page, and so is a sample that
// can't be read.
func Report(path string, all []*runs.Run) error {
	var names []string
	problems, pictures := make([]error, len(all)), make([]map[string]string, len(all))
	for i, r := range all {
		names = append(names, r.Name)
		r.Samples = spread(r.Samples, maxEmbedded)
		pictures[i], problems[i] = embedded(r)
	}
	v := viewer{address: func(run int, name string) string { return pictures[run][name] }}
	data, err := json.Marshal(v.next(time.Now(), all, problems))
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		title := strings.ToValidUTF8(strings.Join(names, ", "), "\uFFFD") // Linux has names of any bytes
		_, err := tmp.WriteString(page(title).Alone(data))
		return err
	})
}

// embedded are the pictures of a run's samples by name, as addresses that hold them.
func embedded(r *runs.Run) (map[string]string, error) {
	pictures, problems := map[string]string{}, []error{}
	for _, s := range r.Samples {
		for _, name := range []string{s.Sheet, s.Film} {
			if name == "" {
				continue
			}
			picture, err := r.ReadSample(name, maxSample)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			pictures[name] = "data:" + pictureKind(name) + ";base64," + base64.StdEncoding.EncodeToString(picture)
		}
	}
	return pictures, errors.Join(problems...)
}

// spread picks at most so many samples, the first and the last among them, and one picture of each.
func spread(all []runs.Sample, most int) (some []runs.Sample) {
	n := min(len(all), most)
	for i := range n {
		s := all[len(all)-1]
		if i < n-1 {
			s = all[i*(len(all)-1)/(n-1)]
		}
		if s.Film != "" {
			s.Sheet = ""
		}
		some = append(some, s)
	}
	return some
}
