package clips

// Labelled is a data set that knows what its videos show.
type Labelled interface {
	// Classes are the names of everything that its videos may show, in an order that is the same for
	// all splits of the same files; nil if this data set knows none after all.
	Classes() []string
	// Labels are those of video i, 0 <= i < Len: one for the action in a film, and several if a video
	// shows several things. None comes twice. Their order means nothing.
	Labels(i int) []string
}

// Classes are what the videos of a data set may show, nil if it doesn't know.
func Classes(ds Dataset) []string {
	if d, ok := ds.(Labelled); ok {
		return d.Classes()
	}
	return nil
}

// Labels are what video i of a data set shows, some of its [Classes]; nil if it doesn't know.
func Labels(ds Dataset, i int) []string {
	if d, ok := ds.(Labelled); ok {
		return d.Labels(i)
	}
	return nil
}
