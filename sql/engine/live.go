package engine

type liveCache struct{}
