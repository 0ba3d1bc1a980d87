package tensorboard

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of TensorFlow's messages (tensorflow/core/util/event.proto and framework/summary.proto).
const (
	eventTime, eventStep, eventVersion, eventSummary, eventSession = 1, 2, 3, 5, 7

	summaryValue                      = 1
	valueTag, valueScalar, valueImage = 1, 2, 4
	imageHeight, imageWidth           = 1, 2
	imageColorspace, imageBytes       = 3, 4
	colorspaceRGB                     = 3
	sessionStatus, sessionStatusStart = 1, 1
)

// version is what the first event of a file says.
const version = "brain.Event:2"

// event is one event: a summary, or one of the marks of a session.
type event struct {
	time    float64 // in seconds since 1970
	step    int
	version string
	start   bool // a session begins at step
	values  []value
}

// value is a scalar, or an image if there are bytes of one.
type value struct {
	tag           string
	scalar        float64
	image         []byte // PNG or GIF
	width, height int
}

func (e event) marshal() []byte {
	b := protowire.AppendTag(nil, eventTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(e.time))
	if e.step != 0 {
		b = appendInt(b, eventStep, e.step)
	}
	switch {
	case e.version != "":
		b = appendBytes(b, eventVersion, []byte(e.version))
	case e.start:
		b = appendBytes(b, eventSession, appendInt(nil, sessionStatus, sessionStatusStart))
	default:
		var summary []byte
		for _, v := range e.values {
			summary = appendBytes(summary, summaryValue, v.marshal())
		}
		b = appendBytes(b, eventSummary, summary)
	}
	return b
}

func (v value) marshal() []byte {
	b := appendBytes(nil, valueTag, []byte(v.tag))
	if v.image == nil {
		b = protowire.AppendTag(b, valueScalar, protowire.Fixed32Type)
		return protowire.AppendFixed32(b, math.Float32bits(float32(v.scalar)))
	}
	image := appendInt(nil, imageHeight, v.height)
	image = appendInt(image, imageWidth, v.width)
	image = appendInt(image, imageColorspace, colorspaceRGB)
	return appendBytes(b, valueImage, appendBytes(image, imageBytes, v.image))
}

func appendInt(b []byte, field protowire.Number, x int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(x))
}

func appendBytes(b []byte, field protowire.Number, x []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), x)
}
