package stage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// checkEnviron refuses a variable that names a section of this program and a key
// that it does not have. Variables of other sections are other programs'.
func (l *Loader) checkEnviron() error {
	for _, variable := range slices.Sorted(slices.Values(l.Environ)) {
		name, _, _ := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, "RHEA_")
		sectionName, keyName, isSetting := strings.Cut(rest, "_")
		if !ours || !isSetting || setByKubernetes(keyName) {
			continue
		}
		i := slices.IndexFunc(l.sections, func(s *section) bool { return s.name != "" && s.envName() == sectionName })
		if i < 0 {
			continue
		}
		s := l.sections[i]
		if slices.ContainsFunc(s.keys, func(k *key) bool { return k.env() == name }) {
			continue
		}
		near := ""
		if k := s.key(Nearest(strings.ToLower(keyName), s.keyNames())); k != nil {
			near = k.env()
		}
		return fmt.Errorf("%s in the environment: [%s] has no such key%s", name, s.name, meant(near))
	}
	return nil
}

// setByKubernetes reports whether a variable's name ends like those that Kubernetes
// gives every container for every service of its namespace: for one that is called
// rhea-gateway RHEA_GATEWAY_PORT, RHEA_GATEWAY_SERVICE_HOST and more. Nobody could
// call a service so if they were refused.
func setByKubernetes(key string) bool {
	return regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_.*)?)$`).MatchString(key)
}
