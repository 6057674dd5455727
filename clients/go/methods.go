package befriend

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// method is how a method may be called.
type method struct {
	// repeatable tells that a second call does no harm if the first has happened: the protos call the method
	// NO_SIDE_EFFECTS or IDEMPOTENT.
	repeatable bool
	// open tells that the method needs no token.
	open bool
}

// issueToken is the method that gives the token for all others.
const issueToken = "/befriend.v1.TokenService/IssueToken"

// methods are the methods of the protos by path, "/befriend.v1.FriendService/AddFriend". One that is not there is
// not repeatable.
var methods = readMethods()

func readMethods() map[string]method {
	found := map[string]method{}
	protoregistry.GlobalFiles.RangeFilesByPackage(domain, func(file protoreflect.FileDescriptor) bool {
		services := file.Services()
		for i := 0; i < services.Len(); i++ {
			each := services.Get(i).Methods()
			for j := 0; j < each.Len(); j++ {
				one := each.Get(j)
				path := "/" + string(services.Get(i).FullName()) + "/" + string(one.Name())
				options, _ := one.Options().(*descriptorpb.MethodOptions)
				level := options.GetIdempotencyLevel()
				found[path] = method{
					repeatable: level != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN,
					open:       path == issueToken,
				}
			}
		}
		return true
	})
	return found
}
