package configs

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
)

// source is the text whose comments are the reference.
//
//go:embed config.go
var source string

// Reference describes every setting: its YAML path, what it may be, its default, and the comment on
// its field or its doc tag. Below a section's options are those of the implementations, each with
// the setting that chooses it.
func (c Catalogue) Reference() string {
	var out strings.Builder
	out.WriteString("base: text\n    Another file that is read first, relative to this one. " +
		"This file then is the lines that differ.\n")
	r := reference{catalogue: c, docs: comments(), out: &out}
	r.section(reflect.ValueOf(Default()).Elem(), "", "")
	out.WriteString("\nOld spellings, which are read, too:\n")
	for _, m := range moved {
		fmt.Fprintf(&out, "    %s is %s\n", m.old, m.now)
	}
	return out.String()
}

type reference struct {
	catalogue Catalogue
	docs      map[string]string
	out       *strings.Builder
}

// section describes the fields of a struct; of is how the implementation that they belong to is
// chosen, if they do.
func (r reference) section(v reflect.Value, path, of string) {
	for _, f := range fields(v) {
		at := join(path, f.name)
		doc, ok := f.goes.Tag.Lookup("doc")
		if !ok {
			doc = r.docs[v.Type().Name()+"."+f.goes.Name]
		}
		if f.value.Kind() == reflect.Struct {
			fmt.Fprintf(r.out, "\n%s:\n    %s\n", at, doc)
			r.section(f.value, at, of)
			continue
		}
		what := kind(f)
		if names := r.catalogue.names(at); len(names) > 0 {
			what = strings.Join(names, " or ")
		}
		fmt.Fprintf(r.out, "\n%s: %s", at, what)
		if standard := show(f.value); standard != "" {
			fmt.Fprintf(r.out, ", default %s", standard)
		}
		if of != "" {
			fmt.Fprintf(r.out, " (%s)", of)
		}
		fmt.Fprintf(r.out, "\n    %s\n", doc)
		for _, i := range r.catalogue.below(at) {
			r.section(i.options, at, i.String())
		}
	}
}

// kind says what a setting may be: "integer, 1 to 64", "skip or fail", "list of numbers, each 0 or
// more, and finite".
func kind(f field) string {
	t, each := f.value.Type(), ""
	text := typeName(t)
	if t.Kind() == reflect.Slice {
		t, each = t.Elem(), "each "
	}
	if known := choicesOf(f.goes.Tag); len(known) > 0 {
		if text = strings.Join(known, " or "); each != "" {
			text = "list, each " + text
		}
	}
	if r, ok := rangeOf(f.goes.Tag); ok {
		text += ", " + each + r.describe(typeName(t) == "integer")
	}
	return text
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.Map:
		return "mapping"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "integer"
}

// show writes a value as one would write it in a file; no options are nothing.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Map:
		return ""
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = show(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

// comments maps "Type.Field" and "Type" to the comments in config.go, each as one line.
func comments() map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		panic(fmt.Sprintf("configs: the embedded source can't be parsed: %v", err))
	}
	docs := map[string]string{}
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			named := spec.(*ast.TypeSpec)
			docs[named.Name.Name] = oneLine(types.Doc)
			if body, ok := named.Type.(*ast.StructType); ok {
				for _, f := range body.Fields.List {
					docs[named.Name.Name+"."+f.Names[0].Name] = oneLine(f.Doc)
				}
			}
		}
	}
	return docs
}

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
