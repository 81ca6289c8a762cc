// Package shop is the messages of the example. The .pb.go files are made of the .proto files beside them.
package shop

//go:generate protoc --proto_path=.. --go_out=.. --go_opt=module=github.com/thalweg/thalweg/examples/enrich shop/address.proto shop/customer.proto
