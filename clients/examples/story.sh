#!/bin/sh
# A story of two friends, with grpcurl and curl: befriend, remark, list, block, and the question before every
# message.
#
#   clients/examples/story.sh ADDRESS CLIENT_ID CLIENT_SECRET
#
# `befriend serve --ephemeral` prints all three. GRPCURL names another grpcurl.
set -eu
address=$1 client_id=$2 client_secret=$3
grpcurl=${GRPCURL:-grpcurl}

token=$("$grpcurl" -plaintext -d "{\"client_id\": \"$client_id\", \"client_secret\": \"$client_secret\"}" \
    "$address" befriend.v1.TokenService/IssueToken | sed -n 's/.*"accessToken": "\(.*\)".*/\1/p')
call() { "$grpcurl" -plaintext -H "authorization: Bearer $token" -d "$2" "$address" "befriend.v1.$1"; }

call UserService/BatchCreateUsers '{"users": [{"username": "alice"}, {"username": "bob"}, {"username": "carol"}]}'
call FriendService/AddFriend '{"owner": "alice", "friend": "bob"}'
call FriendService/SetRemark '{"owner": "alice", "friend": "bob", "remark": "from the gym"}'
call FriendService/ListFriends '{"owner": "alice", "include_remark": true}'
call BlockService/BlockUsers '{"owner": "bob", "usernames": ["alice"]}'
call RelationService/CheckRelations '{"username": "alice", "others": ["bob", "carol"]}'

# The same list, as Easemob's clients ask for it.
curl -sSf -H "Authorization: Bearer $token" "http://$address/ephemeral/app/users/alice/contacts/users"
echo
