package befriend

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	befriendv1 "befriend/v1"
)

// Error is a call that failed.
//
//	var failed *befriend.Error
//	if errors.As(err, &failed) && failed.Reason == befriendv1.ErrorReason_ERROR_REASON_NOT_FRIENDS { … }
type Error struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason is the reason, if the error is the service's own. It is ERROR_REASON_UNSPECIFIED if the service was
	// not reached, if the error is of something in between, or if the service is newer than this client and has a
	// reason that the client does not know.
	Reason befriendv1.ErrorReason
	// Message is for people; its words may change.
	Message string
	// Metadata says what the error is about, by name, as error_reason.proto lists it for each reason: for
	// USER_NOT_FOUND it has "username".
	Metadata map[string]string
	// RetryAfter is how long to wait before the call may be made again; 0 if the service does not say so.
	RetryAfter time.Duration

	status *status.Status
}

// ReasonOf returns the reason of an error: ERROR_REASON_UNSPECIFIED if it has none.
func ReasonOf(err error) befriendv1.ErrorReason {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Reason
	}
	return befriendv1.ErrorReason_ERROR_REASON_UNSPECIFIED
}

// Error returns the reason, or the code, and the message.
func (e *Error) Error() string {
	if e.Reason == befriendv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return e.Code.String() + ": " + e.Message
	}
	return strings.TrimPrefix(e.Reason.String(), reasonPrefix) + ": " + e.Message
}

// GRPCStatus returns the status with all its details; status.FromError uses it.
func (e *Error) GRPCStatus() *status.Status {
	return e.status
}

// Is tells that a call that ran out of time is a context.DeadlineExceeded, and one that was cancelled a
// context.Canceled.
func (e *Error) Is(target error) bool {
	return e.Code == codes.DeadlineExceeded && target == context.DeadlineExceeded ||
		e.Code == codes.Canceled && target == context.Canceled
}

const (
	reasonPrefix = "ERROR_REASON_"
	domain       = "befriend.v1"
	errorInfo    = "type.googleapis.com/google.rpc.ErrorInfo"
	retryInfo    = "type.googleapis.com/google.rpc.RetryInfo"
)

// readError reads the status of an error of grpc; of an Error it is that.
func readError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	st := status.Convert(err)
	if st.Code() == codes.Unknown && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		st = status.FromContextError(err)
	}
	failed := &Error{Code: st.Code(), Message: st.Message(), Metadata: map[string]string{}, status: st}
	for _, detail := range st.Proto().GetDetails() {
		switch detail.GetTypeUrl() {
		case errorInfo:
			failed.readErrorInfo(detail.GetValue())
		case retryInfo:
			failed.RetryAfter = readRetryInfo(detail.GetValue())
		}
	}
	return failed
}

// readErrorInfo reads a google.rpc.ErrorInfo. It and RetryInfo are read here, field by field, because their Go
// packages have moved from one module to another, and a program can have only one of the two.
func (e *Error) readErrorInfo(message []byte) {
	var reason, from string
	metadata := map[string]string{}
	eachField(message, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case 1:
			reason = string(value)
		case 2:
			from = string(value)
		case 3:
			var name, text string
			eachField(value, func(number protowire.Number, value []byte, _ uint64) {
				switch number {
				case 1:
					name = string(value)
				case 2:
					text = string(value)
				}
			})
			metadata[name] = text
		}
	})
	if from == domain {
		e.Reason = befriendv1.ErrorReason(befriendv1.ErrorReason_value[reasonPrefix+reason])
		e.Metadata = metadata
	}
}

func readRetryInfo(message []byte) time.Duration {
	var delay time.Duration
	eachField(message, func(number protowire.Number, value []byte, _ uint64) {
		if number != 1 {
			return
		}
		eachField(value, func(number protowire.Number, _ []byte, value uint64) {
			switch number {
			case 1:
				delay += time.Duration(int64(value)) * time.Second
			case 2:
				delay += time.Duration(int64(value))
			}
		})
	})
	if delay < 0 {
		return 0
	}
	return delay
}

// eachField calls a function with the fields of a message: with the bytes of those that have a length, and with
// the number of varints. It stops where the message can't be read.
func eachField(message []byte, found func(number protowire.Number, value []byte, varint uint64)) {
	for len(message) > 0 {
		number, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return
		}
		message = message[length:]
		switch kind {
		case protowire.BytesType:
			var value []byte
			if value, length = protowire.ConsumeBytes(message); length >= 0 {
				found(number, value, 0)
			}
		case protowire.VarintType:
			var value uint64
			if value, length = protowire.ConsumeVarint(message); length >= 0 {
				found(number, nil, value)
			}
		default:
			length = protowire.ConsumeFieldValue(number, kind, message)
		}
		if length < 0 {
			return
		}
		message = message[length:]
	}
}
