package registry

import (
	"maps"
	"regexp"
	"slices"
)

// property returns the schema that a property has, whether by name, by pattern, or as one of the others.
func property(o object, name string) any {
	ps, _ := o["properties"].(object)
	if p, ok := ps[name]; ok {
		return p
	}
	pats, _ := o["patternProperties"].(object)
	for _, pat := range slices.Sorted(maps.Keys(pats)) {
		if re, err := regexp.Compile(pat); err == nil && re.MatchString(name) {
			return pats[pat]
		}
	}
	return orTrue(o["additionalProperties"])
}

// properties compares objects, property by property. As with the Confluent Schema Registry, a property that the writer's
// schema does not have is no news to it where it allows any property: there may be values of another type under its name.
func (d *jsonDiff) properties(r, w object, path string, depth int) (faults []string) {
	if !may(w, "object") {
		return nil
	}
	rp, _ := r["properties"].(object)
	wp, _ := w["properties"].(object)
	names := map[string]bool{}
	for name := range rp {
		names[name] = true
	}
	for name := range wp {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		faults = append(faults, d.faults(property(r, name), property(w, name), path+"."+name, depth)...)
	}
	required, _ := r["required"].([]any)
	was, _ := w["required"].([]any)
	for _, name := range required {
		text, _ := name.(string)
		p, _ := rp[text].(object)
		if _, hasDefault := p["default"]; !slices.Contains(was, name) && !hasDefault {
			faults = append(faults, at(path, "property %q is required now", text))
		}
	}
	rpat, _ := r["patternProperties"].(object)
	wpat, _ := w["patternProperties"].(object)
	for _, pat := range slices.Sorted(maps.Keys(rpat)) {
		old, ok := wpat[pat]
		if !ok {
			old = orTrue(w["additionalProperties"])
		}
		faults = append(faults, d.faults(rpat[pat], old, path+".("+pat+")", depth)...)
	}
	if r["additionalProperties"] != nil {
		faults = append(faults, d.faults(r["additionalProperties"], orTrue(w["additionalProperties"]), path+".*", depth)...)
	}
	return faults
}
