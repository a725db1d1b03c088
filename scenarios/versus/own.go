package versus

import "runtime/debug"

// OwnFunctions returns how the names of the functions begin that belong to the running program's
// module: those that may cause a regression.
func OwnFunctions() []string { return []string{ownModule() + "/", "main."} }

// deliveryFunctions returns how the names of the delivery package's functions begin.
func deliveryFunctions() []string { return []string{ownModule() + "/delivery."} }

// ownModule returns the path of the running program's module, which is another in a renamed copy.
func ownModule() string {
	const module = "github.com/fleetmark/fleetmark"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		return info.Main.Path
	}
	return module
}
