// Command fleetmark reports whether a change made the delivery of updates slower, heavier or less
// reliable, by how much, and why. Package app holds its commands.
package main

import "github.com/fleetmark/fleetmark/cmd/fleetmark/app"

func main() { app.Main() }
