package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// series is what one program or setting did.
type series struct {
	name   string
	values []float64
}

// The size of all plots, and of their margins.
const (
	width, height = 720, 320
	left, right   = 60, 16
	top, bottom   = 56, 40
)

var colours = []string{"#2563eb", "#9ca3af", "#d97706", "#059669"}

// canvas is an SVG that is being drawn. Its text takes the colour of the page.
type canvas struct {
	strings.Builder
	most float64 // the value at the top
}

func newCanvas(title string, all []series) *canvas {
	c := &canvas{}
	for _, s := range all {
		for _, v := range s.values {
			c.most = max(c.most, v)
		}
	}
	c.most = roundUp(c.most)
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(c, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	c.text(left, 20, "start", `font-size="15" font-weight="bold"`, title)
	for i, s := range all {
		x := left + 150*i
		fmt.Fprintf(c, `<rect x="%d" y="32" width="10" height="10" fill="%s"/>`+"\n", x, colours[i%len(colours)])
		c.text(float64(x)+15, 41, "start", "", s.name)
	}
	for i := range 5 {
		v := c.most * float64(i) / 4
		fmt.Fprintf(c, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e5e7eb"/>`+"\n", left, width-right, c.y(v), c.y(v))
		c.text(left-6, c.y(v)+4, "end", `fill="#6b7280"`, number(v))
	}
	return c
}

func (c *canvas) text(x, y float64, anchor, more, text string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(text))
}

func (c *canvas) y(v float64) float64 {
	return top + (height-top-bottom)*(1-v/c.most)
}

func (c *canvas) end() string { return c.String() + "</svg>\n" }

// bars draws groups of bars, one bar of each series in a group.
func bars(title string, groups []string, all []series) string {
	c := newCanvas(title, all)
	step := float64(width-left-right) / float64(len(groups))
	bar := step * 0.7 / float64(len(all))
	for g, name := range groups {
		begin := left + step*(float64(g)+0.15)
		for i, s := range all {
			x, y := begin+bar*float64(i), c.y(s.values[g])
			fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, bar*0.92, height-bottom-y, colours[i%len(colours)])
			c.text(x+bar*0.46, y-4, "middle", `font-size="11"`, number(s.values[g]))
		}
		c.text(begin+step*0.35, height-bottom+18, "middle", "", name)
	}
	return c.end()
}

// lines draws curves over the same times, in seconds.
func lines(title string, seconds []float64, all []series) string {
	c := newCanvas(title, all)
	x := func(s float64) float64 {
		return left + (width-left-right)*(s-seconds[0])/(seconds[len(seconds)-1]-seconds[0])
	}
	for i, s := range all {
		var points strings.Builder
		for k, v := range s.values {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(seconds[k]), c.y(v))
		}
		fmt.Fprintf(c, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", points.String(), colours[i%len(colours)])
	}
	for i := range 7 {
		s := seconds[0] + (seconds[len(seconds)-1]-seconds[0])*float64(i)/6
		c.text(x(s), height-bottom+18, "middle", `fill="#6b7280"`, number(s)+" s")
	}
	return c.end()
}

// roundUp is the next round number.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 1.5, 2, 3, 4, 5, 6, 8, 10} {
		if v <= n*unit {
			return n * unit
		}
	}
	return v
}
