package network

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
)

// Cache holds the values that a network computes from the conditioning frames alone. They are the
// same in every step of a window, so sampling computes them once and gives them to each step. A
// value is found by the scope of the layer that computes it, not by the order of building. So two
// networks in one graph, such as the branches of guidance, each have a cache.
type Cache struct {
	values map[string]*Node
	full   bool   // the values are given, and nothing is computed
	part   string // of the batch that is being built
}

// NewCache is an empty cache, which a Graph fills.
func NewCache() *Cache { return &Cache{values: map[string]*Node{}} }

// FullCache is a cache of values that were computed before.
func FullCache(values map[string]*Node) *Cache { return &Cache{values: values, full: true} }

// Keys are the names of the values, sorted.
func (c *Cache) Keys() []string { return configs.Names(c.values) }

// Values are the values by name, images [batch, height, width, channels].
func (c *Cache) Values() map[string]*Node { return c.values }

// pair returns two images that a layer computes from the conditioning frames. It takes them from
// the cache if they are there. Otherwise it calls build, and the cache keeps the result. A nil
// cache keeps nothing.
func (c *Cache) pair(layer *model.Scope, build func() (*Node, *Node)) (*Node, *Node) {
	if c == nil {
		return build()
	}
	first, second := layer.Scope()+c.part+"/first", layer.Scope()+c.part+"/second"
	if !c.full {
		c.values[first], c.values[second] = build()
	}
	if c.values[first] == nil || c.values[second] == nil {
		panic(fmt.Errorf("layer %s: the cache was not made by this network", layer.Scope()))
	}
	return c.values[first], c.values[second]
}

// ofPart is the cache as a part of the batch sees it.
func (c *Cache) ofPart(number int) *Cache {
	if c == nil {
		return nil
	}
	part := *c
	part.part = fmt.Sprintf("/part%d", number)
	return &part
}
