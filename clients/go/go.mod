// The oldest versions that the client was tested with. Yours may be newer.
module befriend

go 1.19

require (
	google.golang.org/grpc v1.33.3
	google.golang.org/protobuf v1.28.1
)
